//! Which trait a type gets.

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Error, Fields, Result};

use crate::table::TableUse;
use crate::{attributes, choice, kinds, table};

pub(crate) fn replicate(item: TokenStream) -> Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    check(&item)?;
    match &item.data {
        Data::Struct(data) => table::expand(&item.ident, &data.fields, TableUse::Replicate),
        Data::Enum(data) if data.variants.is_empty() => Err(Error::new_spanned(
            &item.ident,
            "an enum needs a variant; for a game without events use `NoEvent`",
        )),
        Data::Enum(data) if data.variants.iter().all(|v| matches!(v.fields, Fields::Unit)) => {
            Ok(choice::expand(&item.ident, data))
        }
        Data::Enum(data) => kinds::expand(&item.ident, data),
        Data::Union(_) => {
            Err(Error::new_spanned(&item.ident, "a union cannot be replicated; write an enum"))
        }
    }
}

pub(crate) fn input(item: TokenStream) -> Result<TokenStream> {
    let item: DeriveInput = syn::parse2(item)?;
    check(&item)?;
    match &item.data {
        Data::Struct(data) => table::expand(&item.ident, &data.fields, TableUse::Input),
        _ => Err(Error::new_spanned(
            &item.ident,
            "an input is a struct with named fields; an enum without fields can be one of \
             them, with `#[derive(Replicate)]`",
        )),
    }
}

/// Refuses what no form of the derives takes.
fn check(item: &DeriveInput) -> Result<()> {
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &item.generics,
            "a replicated type has one field table, so it cannot be generic",
        ));
    }
    attributes::refuse(&item.attrs, "`#[replicate(..)]` goes on a field")?;
    let Data::Enum(data) = &item.data else { return Ok(()) };
    for variant in &data.variants {
        let fields = variant.fields.iter().flat_map(|field| &field.attrs);
        attributes::refuse(
            variant.attrs.iter().chain(fields),
            "`#[replicate(..)]` goes on a field of a struct, not on a variant",
        )?;
    }
    Ok(())
}
