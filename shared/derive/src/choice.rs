//! An enum without fields: `Choice`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, Ident};

pub(crate) fn expand(name: &Ident, data: &DataEnum) -> TokenStream {
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let count = variants.len() as u16;
    let indices = 0..count;
    let (last, others) =
        variants.split_last().expect("the caller refused an enum without variants");
    let other_indices = 0..count - 1;
    quote! {
        #[automatically_derived]
        impl ::tickwire_shared::quantize::Choice for #name {
            const VARIANTS: u16 = #count;

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
