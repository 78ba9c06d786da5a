//! One field of a struct: its shape, from its type, and its `FieldType`, from its attributes.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, Expr, GenericArgument, Ident, PathArguments, Result, Type};

use crate::attributes::{Attributes, Range, Value};

/// A field that can be coded.
pub(crate) struct DeriveField {
    pub(crate) ident: Ident,
    /// On the wire: without `r#`.
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) values: Values,
    pub(crate) shape: FieldShape,
    /// An expression of type `FieldType`.
    pub(crate) table: TokenStream,
    /// What to blame for numbers that cannot be used.
    pub(crate) numbers: Span,
    pub(crate) attributes: Attributes,
}

/// How many values a field has, and of which type.
pub(crate) struct Values {
    pub(crate) optional: bool,
    /// The length of an array.
    pub(crate) length: Option<Expr>,
    pub(crate) ty: Type,
}

/// What a value of a field is, by the last part of its type's path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FieldShape {
    Bool,
    /// A whole number, or a struct around one, with the number's own type.
    Int(Ident),
    Float,
    Vec2,
    Vec3,
    Quat,
    /// An enum without fields, a text, or what else is an `OwnType`.
    Own,
}

impl DeriveField {
    pub(crate) fn parse(field: &syn::Field) -> Result<Self> {
        let Some(ident) = field.ident.clone() else {
            return Err(Error::new_spanned(
                &field.ty,
                "give this field a name: it is how two sides compare it",
            ));
        };
        let values = Values::of(&field.ty)?;
        let shape = FieldShape::of(&values.ty)?;
        let attributes = Attributes::parse(&field.attrs)?;
        if let (Some(_), Some(second)) = (attributes.rare, attributes.initial) {
            return Err(Error::new(second, "a field is either `rare` or `initial`"));
        }
        let name = ident.unraw().to_string();
        let (table, numbers) = table(&shape, &values.ty, &attributes)?;
        let ty = field.ty.clone();
        Ok(DeriveField { ident, name, ty, values, shape, table, numbers, attributes })
    }
}

impl Values {
    fn of(ty: &Type) -> Result<Self> {
        match ty {
            Type::Group(group) => Values::of(&group.elem),
            Type::Paren(paren) => Values::of(&paren.elem),
            Type::Array(array) => {
                let one = Values::of(&array.elem)?;
                if one.optional || one.length.is_some() {
                    return Err(Error::new_spanned(
                        &array.elem,
                        "an array holds values that are always there, one after the other: write one array for each \
                         of them, or `Option<[T; N]>` for an array that may be absent",
                    ));
                }
                Ok(Values { length: Some(array.len.clone()), ..one })
            }
            _ => match optional(ty) {
                Some(inner) => {
                    let one = Values::of(inner)?;
                    if one.optional {
                        return Err(Error::new_spanned(inner, "one `Option` is enough"));
                    }
                    Ok(Values { optional: true, ..one })
                }
                None => Ok(Values { optional: false, length: None, ty: ty.clone() }),
            },
        }
    }

    /// One value, always there.
    pub(crate) fn is_plain(&self) -> bool {
        !self.optional && self.length.is_none()
    }

    /// An expression of type `FieldValues`. The length is checked elsewhere.
    pub(crate) fn table(&self) -> TokenStream {
        let optional = self.optional;
        let length = match &self.length {
            Some(length) => quote!(::core::option::Option::Some({
                let length: usize = #length;
                length as u8
            })),
            None => quote!(::core::option::Option::None),
        };
        quote!(::tickwire_shared::schema::FieldValues::new(#optional, #length))
    }
}

/// The type in an `Option`.
fn optional(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) if arguments.args.len() == 1 => Some(inner),
        _ => None,
    }
}

impl FieldShape {
    fn of(ty: &Type) -> Result<Self> {
        let unsupported = |instead: &str| {
            Err(Error::new_spanned(
                ty,
                format!(
                    "this type cannot be sent; {instead}. A field is a bool, i8, u8, i16, u16, i32, u32, \
                     f32, Vec2, Vec3, Quat, PlayerId, EntityId, Tick, Text<16>, an enum without fields that has \
                     `#[derive(Replicate)]`, an Option of one of them, or an array"
                ),
            ))
        };
        let path = match ty {
            Type::Path(path) => &path.path,
            _ => return unsupported("write one field for each value"),
        };
        let Some(last) = path.segments.last() else { return Ok(FieldShape::Own) };
        Ok(match last.ident.to_string().as_str() {
            "Text" => FieldShape::Own,
            "Vec" | "VecDeque" | "HashMap" | "BTreeMap" | "HashSet" | "BTreeSet" => {
                return unsupported(
                    "a list without a fixed length is an entity for each of its items, or an array",
                );
            }
            _ if !matches!(last.arguments, PathArguments::None) => {
                return unsupported("write one field for each value");
            }
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
                return unsupported(
                    "use Text<16>, which holds at most 16 bytes; long texts belong into chat",
                );
            }
            "Vec3A" => return unsupported("use Vec3"),
            _ => FieldShape::Own,
        })
    }

    /// Lanes that a value takes, as `FieldType::lanes`, where the type says so without being asked.
    pub(crate) fn lanes(&self) -> Option<usize> {
        match self {
            FieldShape::Bool | FieldShape::Int(_) | FieldShape::Float => Some(1),
            FieldShape::Vec2 => Some(2),
            FieldShape::Vec3 => Some(3),
            FieldShape::Quat => Some(4),
            FieldShape::Own => None,
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
            FieldShape::Own => "an enum needs a variant, and a text has 1 to 64 bytes",
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
        FieldShape::Own => {
            given.only(
                &[],
                "the derive takes a type it does not know for an enum without fields or a text, and \
                 those take no numbers",
            )?;
            Ok((own_type(ty, &quote!(TYPE)), ty.span()))
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

/// An item of `OwnType` of a type, blamed on the type should it be none.
pub(crate) fn own_type(ty: &Type, item: &TokenStream) -> TokenStream {
    let here = Span::call_site().located_at(ty.span());
    quote_spanned!(here=> <#ty as ::tickwire_shared::quantize::OwnType>::#item)
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
