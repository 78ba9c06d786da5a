//! An enum of structs: `Kinds`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DataEnum, Error, Fields, Ident, Result, Type, Variant};

/// Most kinds in a game; `tickwire_shared::schema::KINDS_MAX`.
const KINDS_MAX: usize = 64;

pub(crate) fn expand(name: &Ident, data: &DataEnum) -> Result<TokenStream> {
    let structs = data.variants.iter().map(inner).collect::<Result<Vec<_>>>()?;
    check(data, &structs)?;
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let numbers: Vec<_> = (0..structs.len() as u8).collect();
    let lanes = quote!(::tickwire_shared::quantize::Lanes);
    let schemas = structs.iter().map(|ty| quote_spanned!(ty.span()=> <#ty as #lanes>::schema()));
    Ok(quote! {
        #[automatically_derived]
        impl ::tickwire_shared::quantize::Kinds for #name {
            fn schemas() -> ::std::vec::Vec<::tickwire_shared::schema::KindSchema> {
                ::std::vec![#(#schemas),*]
            }

            #[inline]
            fn kind(&self) -> u8 {
                match self {
                    #(Self::#variants(_) => #numbers,)*
                }
            }

            #[inline]
            fn to_lanes(&self, lanes: &mut [i32]) -> ::tickwire_shared::quantize::Misfits {
                match self {
                    #(Self::#variants(value) => <#structs as #lanes>::to_lanes(value, lanes),)*
                }
            }

            #[inline]
            fn from_lanes(kind: u8, lanes: &[i32]) -> ::core::option::Option<Self> {
                match kind {
                    #(#numbers => ::core::option::Option::Some(
                        Self::#variants(<#structs as #lanes>::from_lanes(lanes)),
                    ),)*
                    _ => ::core::option::Option::None,
                }
            }

            fn refine(&mut self, predicted: &Self) {
                #[allow(unreachable_patterns)]
                match (self, predicted) {
                    #((Self::#variants(value), Self::#variants(predicted)) => {
                        <#structs as #lanes>::refine(value, predicted);
                    })*
                    _ => {}
                }
            }
        }
    })
}

/// The struct a variant holds.
fn inner(variant: &Variant) -> Result<&Type> {
    let name = &variant.ident;
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Ok(&fields.unnamed[0].ty),
        Fields::Unit => Err(Error::new_spanned(
            variant,
            format!(
                "a kind holds a struct: write `{name}({name})` and \
                 `#[derive(Replicate)] struct {name} {{}}`"
            ),
        )),
        _ => Err(Error::new_spanned(
            variant,
            format!(
                "a kind holds one struct: move the fields into \
                 `#[derive(Replicate)] struct {name}` and write `{name}({name})`"
            ),
        )),
    }
}

/// Kinds are told apart by the names of their structs; their number is limited.
fn check(data: &DataEnum, structs: &[&Type]) -> Result<()> {
    if structs.len() > KINDS_MAX {
        return Err(Error::new_spanned(
            &data.variants[KINDS_MAX],
            format!("more than {KINDS_MAX} kinds; join some and tell them apart by a field"),
        ));
    }
    let names: Vec<_> = structs.iter().map(|ty| ty.to_token_stream().to_string()).collect();
    for (place, name) in names.iter().enumerate() {
        if names[..place].contains(name) {
            return Err(Error::new_spanned(
                structs[place],
                format!(
                    "`{name}` is a kind already; tell the two apart by a field of it, or wrap it in \
                     a struct of its own"
                ),
            ));
        }
    }
    Ok(())
}
