//! The game's schema for `npx tickwire types`: names, ranges and steps of everything on the wire.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tickwire_shared::Simulation;
use tickwire_shared::schema::{FieldSchema, FieldType, KindSchema};

use crate::connection::ServerState;

/// `GET /schema.json`. Any page may read it: every client gets as much in its welcome.
pub(super) async fn show<S: Simulation>(State(host): State<Arc<ServerState<S>>>) -> Response {
    let schema = &host.schema;
    let described = json!({
        "game": schema.game,
        "tickHz": schema.tick_hz,
        "input": kind(&schema.input),
        "entities": schema.entities.iter().map(kind).collect::<Vec<_>>(),
        "events": schema.events.iter().map(kind).collect::<Vec<_>>(),
        "commands": schema.commands.iter().map(kind).collect::<Vec<_>>(),
    });
    ([(ACCESS_CONTROL_ALLOW_ORIGIN, "*")], Json(described)).into_response()
}

fn kind(kind: &KindSchema) -> Value {
    json!({ "name": kind.name, "fields": kind.fields.iter().map(field).collect::<Vec<_>>() })
}

fn field(field: &FieldSchema) -> Value {
    let (min, max) = field.ty.range();
    let (min, max) = match field.ty {
        FieldType::Float { .. } | FieldType::Vec2 { .. } | FieldType::Vec3 { .. } => {
            (decimal(min as f32), decimal(max as f32))
        }
        _ => (min, max),
    };
    json!({
        "name": field.name,
        "type": field.ty.name(),
        "components": field.lanes(),
        "optional": field.values.is_optional(),
        "length": field.values.length(),
        "min": min,
        "max": max,
        "step": decimal(field.ty.step()),
        "ownerOnly": field.owner_only,
        "velocity": field.velocity,
        "choice": field.choice.as_ref().map(|choice| json!({
            "name": choice.name,
            "variants": choice.variants,
        })),
    })
}

/// The decimal number as it was written: a step of 0.01 means 0.01, not the nearest `f32`.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

#[cfg(test)]
mod tests {
    use tickwire_shared::schema::ChoiceSchema;

    use super::*;

    fn described(ty: FieldType) -> Value {
        let schema = FieldSchema {
            owner_only: true,
            velocity: Some("vel".into()),
            choice: matches!(ty, FieldType::Choice { .. }).then(|| ChoiceSchema {
                name: "Team".into(),
                variants: ["Azure", "Amber", "Jade"].map(str::to_owned).into(),
            }),
            ..FieldSchema::new("at", ty)
        };
        field(&schema)
    }

    #[test]
    fn numbers_are_those_of_the_attributes() {
        let place = described(FieldType::Vec2 { min: -0.3, max: 100.1, step: 0.01 });
        let expected = json!({
            "name": "at", "type": "vec2", "components": 2, "optional": false, "length": null, "min": -0.3, "max": 100.1,
            "step": 0.01, "ownerOnly": true, "velocity": "vel", "choice": null,
        });
        assert_eq!(place, expected);
        let whole = described(FieldType::Int { min: -1, max: i64::from(u32::MAX) });
        assert_eq!((&whole["min"], &whole["max"]), (&json!(-1.0), &json!(4_294_967_295.0)));
        let team = described(FieldType::Choice { variants: 3 });
        assert_eq!(team["max"], json!(2.0));
        let names = json!({ "name": "Team", "variants": ["Azure", "Amber", "Jade"] });
        assert_eq!(team["choice"], names);
    }
}
