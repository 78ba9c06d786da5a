//! One field of a struct: its shape, from its type, and its `FieldType`, from its attributes.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, Ident, PathArguments, Result, Type};

use crate::attributes::{Attributes, Range, Value};

/// A field that can be coded.
pub(crate) struct DeriveField {
    pub(crate) ident: Ident,
    /// On the wire: without `r#`.
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) shape: FieldShape,
    /// An expression of type `FieldType`.
    pub(crate) table: TokenStream,
    /// What to blame for numbers that cannot be used.
    pub(crate) numbers: Span,
    pub(crate) attributes: Attributes,
}

/// What a field is, by the last part of its type's path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldShape {
    Bool,
    /// A whole number, or a struct around one, with the number's own type.
    Int(Ident),
    Float,
    Vec2,
    Vec3,
    Quat,
    Choice,
}

impl DeriveField {
    pub(crate) fn parse(field: &syn::Field) -> Result<Self> {
        let Some(ident) = field.ident.clone() else {
            return Err(Error::new_spanned(
                &field.ty,
                "give this field a name: it is how two sides compare it",
            ));
        };
        let shape = FieldShape::of(&field.ty)?;
        let attributes = Attributes::parse(&field.attrs)?;
        if let (Some(_), Some(second)) = (attributes.rare, attributes.initial) {
            return Err(Error::new(second, "a field is either `rare` or `initial`"));
        }
        let name = ident.unraw().to_string();
        let (table, numbers) = table(&shape, &field.ty, &attributes)?;
        Ok(DeriveField { ident, name, ty: field.ty.clone(), shape, table, numbers, attributes })
    }
}

impl FieldShape {
    fn of(ty: &Type) -> Result<Self> {
        let unsupported = |instead: &str| {
            Err(Error::new_spanned(
                ty,
                format!(
                    "this type cannot be sent; {instead}. A field is a bool, i8, u8, i16, u16, i32, u32, \
                     f32, Vec2, Vec3, Quat, PlayerId, EntityId, Tick, or an enum without fields that has \
                     `#[derive(Replicate)]`"
                ),
            ))
        };
        let path = match ty {
            Type::Group(group) => return FieldShape::of(&group.elem),
            Type::Paren(paren) => return FieldShape::of(&paren.elem),
            Type::Path(path) => &path.path,
            _ => return unsupported("write one field for each value"),
        };
        let Some(last) = path.segments.last() else { return Ok(FieldShape::Choice) };
        if !matches!(last.arguments, PathArguments::None) {
            return unsupported(
                "write one field for each value, and a bool for what may be absent",
            );
        }
        Ok(match last.ident.to_string().as_str() {
            "bool" => FieldShape::Bool,
            "i8" | "u8" | "i16" | "u16" | "i32" | "u32" => FieldShape::Int(last.ident.clone()),
            "PlayerId" | "EntityId" | "Tick" => FieldShape::Int(format_ident!("u32")),
            "f32" => FieldShape::Float,
            "Vec2" => FieldShape::Vec2,
            "Vec3" => FieldShape::Vec3,
            "Quat" => FieldShape::Quat,
            "f64" => return unsupported("use f32"),
            "i64" | "u64" | "i128" | "u128" | "isize" | "usize" => {
                return unsupported("use i32 or u32");
            }
            "char" | "String" | "str" => {
                return unsupported("text belongs into chat or a player's name");
            }
            "Vec3A" => return unsupported("use Vec3"),
            _ => FieldShape::Choice,
        })
    }

    /// Lanes it takes, as `FieldType::lanes`.
    pub(crate) fn lanes(&self) -> usize {
        match self {
            FieldShape::Bool | FieldShape::Int(_) | FieldShape::Float | FieldShape::Choice => 1,
            FieldShape::Vec2 => 2,
            FieldShape::Vec3 => 3,
            FieldShape::Quat => 4,
        }
    }

    /// What to say when `FieldType::is_valid` is false.
    pub(crate) fn limits(&self, given: &Attributes) -> &'static str {
        match self {
            FieldShape::Float if given.angle.is_some() => "an angle has 1 to 24 bits",
            FieldShape::Bool => "a bool has no limits",
            FieldShape::Int(_) => "this range is empty: write the smaller end first",
            FieldShape::Float | FieldShape::Vec2 | FieldShape::Vec3 => {
                "this range and step cannot be coded: the smaller end comes first, the step is \
                 above zero, and each end is fewer than 2^23 steps from zero, as an f32 holds no \
                 more; widen the step or narrow the range"
            }
            FieldShape::Quat => "a quaternion has 2 to 15 bits",
            FieldShape::Choice => "an enum needs a variant",
        }
    }
}

/// The `FieldType` of a field, and what of it to blame for numbers out of bounds. Complains of
/// attributes that are missing, and of those that do not belong.
fn table(shape: &FieldShape, ty: &Type, given: &Attributes) -> Result<(TokenStream, Span)> {
    let field_type = quote!(::tickwire_shared::schema::FieldType);
    match shape {
        FieldShape::Bool => {
            given.only(&[], "a bool takes no numbers")?;
            Ok((quote!(#field_type::Bool), ty.span()))
        }
        FieldShape::Choice => {
            given.only(
                &[],
                "the derive takes a type it does not know for an enum without fields, and that \
                 takes no numbers",
            )?;
            let here = Span::call_site().located_at(ty.span());
            let choice = quote_spanned!(here=> <#ty as ::tickwire_shared::quantize::Choice>);
            Ok((quote!(#field_type::Choice { variants: #choice::VARIANTS }), ty.span()))
        }
        FieldShape::Int(number) => int(number, ty, given),
        FieldShape::Float if given.angle.is_some() => {
            given.only(&["angle", "bits"], "an angle takes `bits = ..` only, of a whole turn")?;
            bits(ty, given, "give `bits = ..` too, 1 to 24, of a whole turn")
                .map(|(bits, at)| (quote!(#field_type::Angle { bits: #bits }), at))
        }
        FieldShape::Float => {
            let missing = "give `range = min..=max` and `step = unit`, or `angle, bits = ..` for \
                           an angle in radians";
            steps(ty, given, missing).map(|(steps, at)| (quote!(#field_type::Float { #steps }), at))
        }
        FieldShape::Vec2 | FieldShape::Vec3 => {
            let variant = if *shape == FieldShape::Vec2 { quote!(Vec2) } else { quote!(Vec3) };
            let missing = "give `range = min..=max` and `step = unit`, of each coordinate";
            steps(ty, given, missing)
                .map(|(steps, at)| (quote!(#field_type::#variant { #steps }), at))
        }
        FieldShape::Quat => {
            given.only(&["quat", "bits"], "a quaternion takes `bits = ..` only")?;
            bits(ty, given, "give `bits = ..`, 2 to 15, of each of the smallest three components")
                .map(|(bits, at)| (quote!(#field_type::Quat { bits: #bits }), at))
        }
    }
}

fn int(number: &Ident, ty: &Type, given: &Attributes) -> Result<(TokenStream, Span)> {
    given.only(&["range"], "a whole number takes `range = min..=max` only")?;
    let number = quote!(::core::primitive::#number);
    let (min, max, at) = match &given.range {
        Some(Range { span, min, max }) => (min.clone(), max.clone(), *span),
        None => (quote!(#number::MIN), quote!(#number::MAX), ty.span()),
    };
    let table = quote! {
        ::tickwire_shared::schema::FieldType::Int {
            min: { let min: #number = #min; min as i64 },
            max: { let max: #number = #max; max as i64 },
        }
    };
    Ok((table, at))
}

fn bits(ty: &Type, given: &Attributes, missing: &str) -> Result<(TokenStream, Span)> {
    match (&given.bits, given.angle) {
        (Some(Value { span, tokens }), _) => Ok((tokens.clone(), *span)),
        (None, Some(angle)) => Err(Error::new(angle, missing)),
        (None, None) => Err(Error::new_spanned(ty, missing)),
    }
}

/// `min: .., max: .., step: ..`
fn steps(ty: &Type, given: &Attributes, missing: &str) -> Result<(TokenStream, Span)> {
    match (&given.range, &given.step) {
        (Some(Range { span, min, max }), Some(Value { tokens: step, .. })) => {
            given.only(&["range", "step"], "this field takes `range` and `step` only")?;
            Ok((quote!(min: #min, max: #max, step: #step), *span))
        }
        (Some(range), None) => Err(Error::new(range.span, "give `step = unit` too")),
        (None, Some(step)) => Err(Error::new(step.span, "give `range = min..=max` too")),
        (None, None) => Err(Error::new_spanned(ty, missing)),
    }
}
