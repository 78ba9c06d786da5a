//! An enum without fields: `Choice`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{DataEnum, Ident};

pub(crate) fn expand(name: &Ident, data: &DataEnum) -> TokenStream {
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let count = variants.len() as u16;
    let label = name.unraw().to_string();
    let labels = variants.iter().map(|variant| variant.unraw().to_string());
    let indices = 0..count;
    let (last, others) =
        variants.split_last().expect("the caller refused an enum without variants");
    let other_indices = 0..count - 1;
    quote! {
        #[automatically_derived]
        impl ::tickwire_shared::quantize::Choice for #name {
            const NAME: &'static str = #label;
            const VARIANTS: u16 = #count;
            const VARIANT_NAMES: &'static [&'static str] = &[#(#labels),*];

            #[inline]
            fn index(self) -> u16 {
                match self {
                    #(Self::#variants => #indices,)*
                }
            }

            #[inline]
            fn from_index(index: u16) -> Self {
                match index {
                    #(#other_indices => Self::#others,)*
                    _ => Self::#last,
                }
            }
        }
    }
}
