//! A struct: its field table and `Lanes`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, Fields, Ident, Result};

use crate::field::{DeriveField, FieldShape};

/// What the struct is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum TableUse {
    Replicate,
    Input,
}

pub(crate) fn expand(name: &Ident, fields: &Fields, purpose: TableUse) -> Result<TokenStream> {
    let fields = parse(fields)?;
    check(&fields, purpose)?;
    let count = fields.len();
    let lanes: usize = fields.iter().map(|field| field.shape.lanes()).sum();
    let tables = fields.iter().map(|field| &field.table);
    let schemas = fields.iter().enumerate().map(|(place, field)| schema(place, field));
    let label = name.unraw().to_string();
    let limits = limits(name, &fields, lanes);
    let to_lanes = to_lanes(&fields, lanes);
    let from_lanes = from_lanes(&fields, lanes);
    let held = (count > 0).then(|| {
        quote! {
            #[automatically_derived]
            impl #name {
                const __TICKWIRE_FIELDS: [::tickwire_shared::schema::FieldType; #count] =
                    [#(#tables),*];
            }
        }
    });
    Ok(quote! {
        #held

        #limits

        #[automatically_derived]
        impl ::tickwire_shared::quantize::Lanes for #name {
            const LANES: usize = #lanes;

            fn schema() -> ::tickwire_shared::schema::KindSchema {
                ::tickwire_shared::schema::KindSchema {
                    name: ::std::string::String::from(#label),
                    fields: ::std::vec![#(#schemas),*],
                }
            }

            #[inline]
            fn to_lanes(&self, lanes: &mut [i32]) -> ::tickwire_shared::quantize::Misfits {
                #to_lanes
            }

            #[inline]
            fn from_lanes(lanes: &[i32]) -> Self {
                #from_lanes
            }
        }
    })
}

/// All fields, or everything that is wrong with any of them.
fn parse(fields: &Fields) -> Result<Vec<DeriveField>> {
    let mut parsed = Vec::new();
    let mut wrong: Option<Error> = None;
    for field in fields {
        match (DeriveField::parse(field), &mut wrong) {
            (Ok(field), _) => parsed.push(field),
            (Err(error), Some(first)) => first.combine(error),
            (Err(error), None) => wrong = Some(error),
        }
    }
    wrong.map_or(Ok(parsed), Err)
}

/// What one field cannot tell alone.
fn check(fields: &[DeriveField], purpose: TableUse) -> Result<()> {
    for field in fields {
        if purpose == TableUse::Input {
            refuse_sending_rules(field)?;
        }
        check_velocity(field, fields)?;
    }
    Ok(())
}

fn refuse_sending_rules(field: &DeriveField) -> Result<()> {
    let given = &field.attributes;
    let velocity = given.velocity.as_ref().map(Ident::span);
    match given.owner.or(given.rare).or(given.initial).or(velocity) {
        Some(span) => Err(Error::new(
            span,
            "an input is always sent whole; `owner`, `rare`, `initial` and `velocity` are for \
             `#[derive(Replicate)]`",
        )),
        None => Ok(()),
    }
}

/// A velocity must be a number of the same shape, sent whenever the field is: see
/// `Schema::validate`.
fn check_velocity(field: &DeriveField, fields: &[DeriveField]) -> Result<()> {
    let Some(velocity) = &field.attributes.velocity else { return Ok(()) };
    let wrong = |why: String| Err(Error::new_spanned(velocity, why));
    let Some(other) = fields.iter().find(|other| other.ident == *velocity) else {
        return wrong(format!("this struct has no field `{velocity}`"));
    };
    if matches!(field.shape, FieldShape::Bool | FieldShape::Quat | FieldShape::Choice) {
        return wrong("only a number, an angle or a vector has a velocity".into());
    }
    let counts = !matches!(other.shape, FieldShape::Bool | FieldShape::Quat | FieldShape::Choice);
    if !counts || other.attributes.angle.is_some() || other.shape.lanes() != field.shape.lanes() {
        return wrong(format!(
            "`{velocity}` is not the change of `{}` per second: it has another shape",
            field.name
        ));
    }
    if other.attributes.velocity.is_some() {
        return wrong(format!("`{velocity}` has a velocity itself; only one step is predicted"));
    }
    let (a, b) = (&field.attributes, &other.attributes);
    let alike = a.rare.is_some() == b.rare.is_some() && a.initial.is_some() == b.initial.is_some();
    if !alike || (b.owner.is_some() && a.owner.is_none()) {
        return wrong(format!(
            "`{velocity}` is not sent whenever `{}` is: give both the same `rare`, \
             `initial` and `owner`",
            field.name
        ));
    }
    Ok(())
}

/// Checks, where the compiler knows the constants, that every number can be used.
fn limits(name: &Ident, fields: &[DeriveField], lanes: usize) -> TokenStream {
    let each = fields.iter().enumerate().map(|(place, field)| {
        let here = Span::call_site().located_at(field.numbers);
        let text = format!("`{}`: {}", field.name, field.shape.limits(&field.attributes));
        quote_spanned! {here=>
            const _: () = ::core::assert!(#name::__TICKWIRE_FIELDS[#place].is_valid(), #text);
        }
    });
    let here = Span::call_site().located_at(name.span());
    let text = format!("`{name}` takes {lanes} lanes, more than a kind may have; split it in two");
    let all = quote_spanned! {here=>
        const _: () = ::core::assert!(#lanes <= ::tickwire_shared::schema::LANES_MAX, #text);
    };
    quote!(#(#each)* #all)
}

fn schema(place: usize, field: &DeriveField) -> TokenStream {
    let DeriveField { name, attributes, .. } = field;
    let rule = match (attributes.rare, attributes.initial) {
        (Some(_), _) => quote!(Rare),
        (None, Some(_)) => quote!(Initial),
        (None, None) => quote!(Always),
    };
    let owner_only = attributes.owner.is_some();
    let velocity = match &attributes.velocity {
        Some(velocity) => {
            let velocity = velocity.unraw().to_string();
            quote!(::core::option::Option::Some(::std::string::String::from(#velocity)))
        }
        None => quote!(::core::option::Option::None),
    };
    let choice = match field.shape {
        FieldShape::Choice => {
            let ty = &field.ty;
            let here = Span::call_site().located_at(ty.span());
            let choice = quote_spanned!(here=> <#ty as ::tickwire_shared::quantize::Choice>);
            let schema = quote!(::tickwire_shared::schema::ChoiceSchema);
            let choice = quote!(#schema::new(#choice::NAME, #choice::VARIANT_NAMES));
            quote!(::core::option::Option::Some(#choice))
        }
        _ => quote!(::core::option::Option::None),
    };
    quote! {
        ::tickwire_shared::schema::FieldSchema {
            rule: ::tickwire_shared::schema::SendRule::#rule,
            owner_only: #owner_only,
            velocity: #velocity,
            choice: #choice,
            ..::tickwire_shared::schema::FieldSchema::new(#name, Self::__TICKWIRE_FIELDS[#place])
        }
    }
}

fn to_lanes(fields: &[DeriveField], lanes: usize) -> TokenStream {
    if fields.is_empty() {
        return quote! {
            let _ = lanes;
            ::tickwire_shared::quantize::Misfits::NONE
        };
    }
    let each = placed(fields).map(|(place, at, field)| {
        let (ident, trait_) = (&field.ident, field_trait(field));
        let end = at + field.shape.lanes();
        quote! {
            misfits.note(#place, #trait_::quantize(
                &self.#ident,
                const { Self::__TICKWIRE_FIELDS[#place] },
                &mut lanes[#at..#end],
            ));
        }
    });
    quote! {
        let lanes = &mut lanes[..#lanes];
        let mut misfits = ::tickwire_shared::quantize::Misfits::NONE;
        #(#each)*
        misfits
    }
}

fn from_lanes(fields: &[DeriveField], lanes: usize) -> TokenStream {
    if fields.is_empty() {
        return quote! {
            let _ = lanes;
            Self {}
        };
    }
    let each = placed(fields).map(|(place, at, field)| {
        let (ident, trait_) = (&field.ident, field_trait(field));
        let end = at + field.shape.lanes();
        quote! {
            #ident: #trait_::dequantize(
                const { Self::__TICKWIRE_FIELDS[#place] },
                &lanes[#at..#end],
            )
        }
    });
    quote! {
        let lanes = &lanes[..#lanes];
        Self { #(#each),* }
    }
}

/// Every field with its place in the table and its first lane.
fn placed(fields: &[DeriveField]) -> impl Iterator<Item = (usize, usize, &DeriveField)> {
    fields.iter().enumerate().scan(0, |next, (place, field)| {
        let at = *next;
        *next += field.shape.lanes();
        Some((place, at, field))
    })
}

/// `<Type as DeriveField>`, blamed on the type should it be none.
fn field_trait(field: &DeriveField) -> TokenStream {
    let ty = &field.ty;
    let here = Span::call_site().located_at(ty.span());
    quote_spanned!(here=> <#ty as ::tickwire_shared::quantize::Field>)
}
