//! Compatibility of two sides: compares their field tables and checks each of them.

use crate::control::FRAME_BYTES_MAX;
use crate::model::{Model, ModelError};
use crate::schema::{
    ARRAY_LENGTH_MAX, FieldSchema, FieldType, FieldValues, KINDS_MAX, KindSchema, LANES_MAX, Schema,
};

/// Most bytes of a [`Schema`] on the wire, including its model: a frame holds it with the welcome's
/// other fields.
pub const SCHEMA_BYTES_MAX: usize = FRAME_BYTES_MAX - 4096;

/// The reason why two schemas do not fit, or why one is unusable.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SchemaError {
    /// The games differ.
    #[error(
        "this server runs the game \"{server}\", the client was built for \"{client}\"; connect to a server of that game"
    )]
    OtherGame {
        /// The server's game.
        server: String,
        /// The client's game.
        client: String,
    },
    /// The tick rates differ.
    #[error(
        "the server ticks at {server} Hz, the client at {client} Hz; build both from the same rules"
    )]
    OtherTickRate {
        /// The server's rate.
        server: u32,
        /// The client's rate.
        client: u32,
    },
    /// The same field is declared in two ways.
    #[error(
        "{kind}.{field} is {server} on the server and {client} in the client; build both from the same rules"
    )]
    FieldDiffers {
        /// The struct.
        kind: String,
        /// The field.
        field: String,
        /// The server's declaration.
        server: String,
        /// The client's declaration.
        client: String,
    },
    /// A field table that no codec can use.
    #[error("{kind}{}{field} cannot be coded: {reason}", if .field.is_empty() { "" } else { "." })]
    Invalid {
        /// The struct.
        kind: String,
        /// The field, or empty for the struct as a whole.
        field: String,
        /// The mistake.
        reason: &'static str,
    },
    /// The schema is larger than a frame can hold.
    #[error(
        "its tables take {bytes} bytes, of which {model} are the model's; {SCHEMA_BYTES_MAX} are allowed: have \
         fewer kinds and fields, shorter names or a smaller model"
    )]
    TooLarge {
        /// Bytes of the whole schema.
        bytes: usize,
        /// Bytes of the model.
        model: usize,
    },
    /// An unusable model.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl Schema {
    /// Compares a client's schema with the server's (`self`). The model is the server's choice.
    ///
    /// Kinds and fields are matched by name. One that only one side has is not an error: it was
    /// added there, and the other side ignores it or reads its default. A field of both must be
    /// declared alike.
    ///
    /// # Errors
    /// The first difference, naming the type and the field.
    pub fn accepts(&self, client: &Schema) -> Result<(), SchemaError> {
        if self.game != client.game {
            return Err(SchemaError::OtherGame {
                server: self.game.clone(),
                client: client.game.clone(),
            });
        }
        if self.tick_hz != client.tick_hz {
            return Err(SchemaError::OtherTickRate {
                server: self.tick_hz,
                client: client.tick_hz,
            });
        }
        let pairs = |server: &[KindSchema], client: &[KindSchema]| {
            for kind in server {
                if let Some(other) = client.iter().find(|other| other.name == kind.name) {
                    compare_kind(kind, other)?;
                }
            }
            Ok(())
        };
        compare_kind(&self.input, &client.input)?;
        pairs(&self.entities, &client.entities)?;
        pairs(&self.events, &client.events)?;
        pairs(&self.commands, &client.commands)
    }

    /// The first difference between the inputs or entities of `self` and `other`, field by field;
    /// `None` if they are equal. With a difference, one side's rules cannot step the other's
    /// entities.
    pub fn difference(&self, other: &Schema) -> Option<String> {
        if let Err(error) = other.accepts(self) {
            return Some(error.to_string());
        }
        let tables = |schema: &Schema| {
            let kinds = std::iter::once(&schema.input).chain(&schema.entities).cloned();
            kinds.collect::<Vec<_>>()
        };
        let (own, others) = (tables(self), tables(other));
        let differs = own.iter().zip(&others).find(|(one, two)| one != two);
        match differs {
            Some((one, two)) if one.name != two.name => {
                Some(format!("{} is {} there", one.name, two.name))
            }
            Some((one, two)) => {
                let lacks = |kind: &KindSchema, field: &FieldSchema| !kind.fields.contains(field);
                let gone = one.fields.iter().find(|field| lacks(two, field));
                let field = gone.or_else(|| two.fields.iter().find(|field| lacks(one, field)));
                let field = field.map(|field| format!(".{}", field.name)).unwrap_or_default();
                Some(format!("{}{field} is not the same there", one.name))
            }
            None if own.len() != others.len() => Some("it has other kinds of entity".into()),
            None => None,
        }
    }

    /// Checks every number in the schema, and its size. A client must check a server's schema
    /// before it uses it, a server its own before it starts.
    ///
    /// # Errors
    /// [`SchemaError::Invalid`], naming the type and the field, or [`SchemaError::TooLarge`].
    pub fn validate(&self) -> Result<(), SchemaError> {
        let invalid = |kind: &str, field: &str, reason| {
            Err(SchemaError::Invalid { kind: kind.into(), field: field.into(), reason })
        };
        if self.tick_hz == 0 || self.tick_hz > 1000 {
            return invalid("the game", "", "its tick rate is not within 1 to 1000 Hz");
        }
        let tables = [&self.entities, &self.events, &self.commands];
        for kinds in tables {
            if kinds.len() > KINDS_MAX {
                return invalid("the game", "", "it has more than 64 kinds");
            }
            if let Some(name) = repeated(kinds.iter().map(|kind| &kind.name)) {
                return invalid(name, "", "another kind has the same name");
            }
        }
        for kind in std::iter::once(&self.input).chain(tables.into_iter().flatten()) {
            if kind.lanes() > LANES_MAX {
                return invalid(&kind.name, "", "it has more than 64 lanes");
            }
            if let Some(name) = repeated(kind.fields.iter().map(|field| &field.name)) {
                return invalid(&kind.name, name, "another field has the same name");
            }
            for field in &kind.fields {
                if !field.ty.is_valid() {
                    return invalid(&kind.name, &field.name, "its range or step is out of bounds");
                }
                let length = field.values.length().map(usize::from);
                if length.is_some_and(|length| length == 0 || length > ARRAY_LENGTH_MAX) {
                    return invalid(&kind.name, &field.name, "an array has 1 to 32 values");
                }
                if !names_fit(field) {
                    return invalid(&kind.name, &field.name, "it has not a name for each variant");
                }
                let Some(velocity) = &field.velocity else { continue };
                let fits = kind.fields.iter().any(|other| {
                    &other.name == velocity
                        && field.ty.is_signed_steps()
                        && other.ty.is_signed_steps()
                        && !matches!(other.ty, FieldType::Angle { .. })
                        && other.ty.lanes() == field.ty.lanes()
                        && field.values == FieldValues::One
                        && other.values == FieldValues::One
                        && other.velocity.is_none()
                        && (other.owner_only <= field.owner_only)
                        && other.rule == field.rule
                });
                if !fits {
                    let reason = "its velocity names no field of the same shape and rules";
                    return invalid(&kind.name, &field.name, reason);
                }
            }
        }
        let bytes = postcard::to_allocvec(self).map_or(usize::MAX, |bytes| bytes.len());
        if bytes > SCHEMA_BYTES_MAX {
            return Err(SchemaError::TooLarge { bytes, model: self.model.len() });
        }
        if self.model.is_empty() {
            return Ok(());
        }
        Ok(Model::from_bytes(&self.model)?.validate(self)?)
    }
}

/// The first name that occurs twice, since two sides compare by name. Quadratic, for at most 64
/// names.
fn repeated<'a>(names: impl Iterator<Item = &'a String> + Clone) -> Option<&'a str> {
    let twice = |(at, name): &(usize, &String)| names.clone().take(*at).any(|it| it == *name);
    names.clone().enumerate().find(twice).map(|(_, name)| name.as_str())
}

fn names_fit(field: &FieldSchema) -> bool {
    let Some(choice) = &field.choice else { return true };
    field.ty == FieldType::Choice { variants: choice.variants.len().try_into().unwrap_or(0) }
}

/// Ignores names that one side does not know.
fn has_other_names(field: &FieldSchema, other: &FieldSchema) -> bool {
    let both = field.choice.as_ref().zip(other.choice.as_ref());
    both.is_some_and(|(choice, other)| choice.variants != other.variants)
}

fn compare_kind(server: &KindSchema, client: &KindSchema) -> Result<(), SchemaError> {
    for field in &server.fields {
        let Some(other) = client.fields.iter().find(|other| other.name == field.name) else {
            continue;
        };
        let declared = |field: &FieldSchema| (field.ty, field.values, field.owner_only);
        let differs = declared(field) != declared(other);
        if differs || has_other_names(field, other) {
            let show = |field: &FieldSchema| {
                let owner = if field.owner_only { ", owner only" } else { "" };
                let optional = if field.values.is_optional() { ", optional" } else { "" };
                let values = field.values.length().map(|length| format!("{length} values of "));
                let values = values.unwrap_or_default();
                let names = field.choice.as_ref().map(|choice| choice.variants.join(", "));
                let names = names.map(|names| format!(" ({names})")).unwrap_or_default();
                format!("{values}{:?}{names}{optional}{owner}", field.ty)
            };
            return Err(SchemaError::FieldDiffers {
                kind: server.name.clone(),
                field: field.name.clone(),
                server: show(field),
                client: show(other),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
