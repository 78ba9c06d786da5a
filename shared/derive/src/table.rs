//! A struct: its field table and `Lanes`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, Expr, Fields, Ident, Result};

use crate::field::{DeriveField, FieldShape, own_type};

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
    let all_lanes = fields.iter().enumerate().map(lanes_of);
    let tables = fields.iter().map(|field| &field.table);
    let schemas = fields.iter().enumerate().map(|(place, field)| schema(place, field));
    let label = name.unraw().to_string();
    let limits = limits(name, &fields);
    let to_lanes = to_lanes(&fields);
    let from_lanes = from_lanes(&fields);
    let refine = (count > 0).then(|| refine(&fields));
    let held = (count > 0).then(|| {
        let ends = count + 1;
        quote! {
            #[automatically_derived]
            impl #name {
                const __TICKWIRE_FIELDS: [::tickwire_shared::schema::FieldType; #count] =
                    [#(#tables),*];
                /// Where the lanes of each field begin, and those of the last end.
                const __TICKWIRE_LANES: [usize; #ends] =
                    ::tickwire_shared::quantize::first_lanes([#(#all_lanes),*]);
            }
        }
    });
    let lanes = if count > 0 { quote!(#name::__TICKWIRE_LANES[#count]) } else { quote!(0) };
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

            #refine
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
    let counts = |shape: &FieldShape| {
        !matches!(shape, FieldShape::Bool | FieldShape::Quat | FieldShape::Own)
    };
    if !counts(&field.shape) || !field.values.is_plain() || !other.values.is_plain() {
        return wrong(
            "only a number, an angle or a vector has a velocity: no optional field, and no array"
                .into(),
        );
    }
    if !counts(&other.shape)
        || other.attributes.angle.is_some()
        || other.shape.lanes() != field.shape.lanes()
    {
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

/// An expression: lanes that a field takes.
fn lanes_of((place, field): (usize, &DeriveField)) -> TokenStream {
    let values = field.values.table();
    quote!(#values.lanes(Self::__TICKWIRE_FIELDS[#place]))
}

/// Checks, where the compiler knows the constants, that every number can be used.
fn limits(name: &Ident, fields: &[DeriveField]) -> TokenStream {
    let each = fields.iter().enumerate().map(|(place, field)| {
        let here = Span::call_site().located_at(field.numbers);
        let text = format!("`{}`: {}", field.name, field.shape.limits(&field.attributes));
        let length = field.values.length.as_ref().map(|length| length_limit(&field.name, length));
        quote_spanned! {here=>
            const _: () = ::core::assert!(#name::__TICKWIRE_FIELDS[#place].is_valid(), #text);
            #length
        }
    });
    let here = Span::call_site().located_at(name.span());
    let lanes = fields.iter().map(|field| field.shape.lanes().filter(|_| field.values.is_plain()));
    let lanes: Option<usize> = lanes.sum();
    let takes = lanes.map_or("more".to_owned(), |lanes| format!("{lanes} lanes, more"));
    let text =
        format!("`{name}` takes {takes} than the 64 lanes that a kind may have; split it in two");
    let count = fields.len();
    let all = (count > 0).then(|| {
        quote_spanned! {here=>
            const _: () = ::core::assert!(
                #name::__TICKWIRE_LANES[#count] <= ::tickwire_shared::schema::LANES_MAX,
                #text
            );
        }
    });
    quote!(#(#each)* #all)
}

fn length_limit(name: &str, length: &Expr) -> TokenStream {
    let here = Span::call_site().located_at(length.span());
    let text = format!(
        "`{name}`: an array that is sent has 1 to 32 values; for more show an entity for each of them"
    );
    quote_spanned! {here=>
        const _: () = {
            let length: usize = #length;
            ::core::assert!(
                1 <= length && length <= ::tickwire_shared::schema::ARRAY_LENGTH_MAX,
                #text
            );
        };
    }
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
        FieldShape::Own => own_type(&field.values.ty, &quote!(choice())),
        _ => quote!(::core::option::Option::None),
    };
    let values = field.values.table();
    quote! {
        ::tickwire_shared::schema::FieldSchema {
            values: #values,
            rule: ::tickwire_shared::schema::SendRule::#rule,
            owner_only: #owner_only,
            velocity: #velocity,
            choice: #choice,
            ..::tickwire_shared::schema::FieldSchema::new(#name, Self::__TICKWIRE_FIELDS[#place])
        }
    }
}

fn to_lanes(fields: &[DeriveField]) -> TokenStream {
    if fields.is_empty() {
        return quote! {
            let _ = lanes;
            ::tickwire_shared::quantize::Misfits::NONE
        };
    }
    let each = fields.iter().enumerate().map(|(place, field)| {
        let (ident, trait_, lanes) = (&field.ident, field_trait(field), lane_range(place));
        quote! {
            misfits.note(#place, #trait_::quantize(
                &self.#ident,
                const { Self::__TICKWIRE_FIELDS[#place] },
                &mut lanes[#lanes],
            ));
        }
    });
    quote! {
        let lanes = &mut lanes[..<Self as ::tickwire_shared::quantize::Lanes>::LANES];
        let mut misfits = ::tickwire_shared::quantize::Misfits::NONE;
        #(#each)*
        misfits
    }
}

fn from_lanes(fields: &[DeriveField]) -> TokenStream {
    if fields.is_empty() {
        return quote! {
            let _ = lanes;
            Self {}
        };
    }
    let each = fields.iter().enumerate().map(|(place, field)| {
        let (ident, trait_, lanes) = (&field.ident, field_trait(field), lane_range(place));
        quote! {
            #ident: #trait_::dequantize(
                const { Self::__TICKWIRE_FIELDS[#place] },
                &lanes[#lanes],
            )
        }
    });
    quote! {
        let lanes = &lanes[..<Self as ::tickwire_shared::quantize::Lanes>::LANES];
        Self { #(#each),* }
    }
}

fn refine(fields: &[DeriveField]) -> TokenStream {
    let each = fields.iter().enumerate().map(|(place, field)| {
        let (ident, lanes) = (&field.ident, lane_range(place));
        quote! {
            if sent[#lanes] == known[#lanes] {
                self.#ident = ::core::clone::Clone::clone(&predicted.#ident);
            }
        }
    });
    let lanes = quote!([0; <Self as ::tickwire_shared::quantize::Lanes>::LANES]);
    quote! {
        fn refine(&mut self, predicted: &Self) {
            let (mut sent, mut known) = (#lanes, #lanes);
            ::tickwire_shared::quantize::Lanes::to_lanes(self, &mut sent);
            ::tickwire_shared::quantize::Lanes::to_lanes(predicted, &mut known);
            #(#each)*
        }
    }
}

/// The lanes of a field, as a range of constants.
fn lane_range(place: usize) -> TokenStream {
    let end = place + 1;
    quote!(const { Self::__TICKWIRE_LANES[#place] }..const { Self::__TICKWIRE_LANES[#end] })
}

/// `<Type as DeriveField>`, blamed on the type should it be none.
fn field_trait(field: &DeriveField) -> TokenStream {
    let ty = &field.ty;
    let here = Span::call_site().located_at(ty.span());
    quote_spanned!(here=> <#ty as ::tickwire_shared::quantize::Field>)
}
