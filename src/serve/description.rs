//! The description under `/openapi.json`: what every operation has in common is added to what each says of itself.

use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, OneOfBuilder, OpenApi, Ref, RefOr, ResponseBuilder, Schema};

use super::access::{TABLE, Who};
use super::session;

/// What any request that speaks for a workspace may be told.
const ALWAYS: [(&str, &str); 5] = [
    ("400", "The request cannot be understood; `detail` says what and why"),
    ("401", "No key, or none that is valid"),
    ("403", "The key's role may not do this"),
    ("429", "Too much at once for this workspace or address; `Retry-After` says when to come back"),
    ("503", "Busy, starting, or the database does not answer; `Retry-After` says when to come back"),
];
/// What a request that changes something may be told beside.
const WRITING: [(&str, &str); 5] = [
    ("408", "The body took too long"),
    ("409", "Not possible now, or the same request is still under way"),
    ("413", "The body is too large"),
    ("422", "The Idempotency-Key was used for another request"),
    ("507", "The disk is full or fails; nothing was stored"),
];

/// Adds who may call what, and the problems that all operations share.
pub fn complete(description: &mut OpenApi) {
    for (path, item) in &mut description.paths.paths {
        let operations =
            [("GET", &mut item.get), ("POST", &mut item.post), ("PUT", &mut item.put), ("PATCH", &mut item.patch), ("DELETE", &mut item.delete)];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            let who = TABLE.iter().find(|(m, p, _)| *m == method && p == path).map(|(.., who)| *who);
            let public = who == Some(Who::Anyone) && !path.starts_with("/session");
            if public {
                continue;
            }
            problems(operation, &ALWAYS);
            if method != "GET" {
                problems(operation, &WRITING);
            }
            if let Some(Who::Roles(roles)) = who {
                let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
                let told = operation.description.take().unwrap_or_default();
                operation.description = Some(format!("{told}\n\nFor keys of role {}.", names.join(", ")).trim().to_owned());
                let none: [&str; 0] = [];
                operation.security = Some(vec![SecurityRequirement::new("key", none), SecurityRequirement::new("session", none)]);
            }
        }
    }
    let components = description.components.get_or_insert_default();
    // A section without data says null, also where its data is a list.
    for (_, schema) in components.schemas.iter_mut().filter(|(name, _)| name.starts_with("Section_")) {
        if let RefOr::T(Schema::Object(section)) = schema
            && let Some(data) = section.properties.get_mut("data")
        {
            let nothing = ObjectBuilder::new().schema_type(Type::Null);
            *data = OneOfBuilder::new().item(nothing).item(data.clone()).into();
        }
    }
    // What comes in may have no other fields; what goes out has more beside these.
    if let Some(RefOr::T(Schema::Object(entry))) = components.schemas.get_mut("Entry") {
        entry.additional_properties = None;
    }
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("`rapport keys create` makes one; without any key the server answers this machine only"))
        .build();
    components.add_security_scheme("key", SecurityScheme::Http(key));
    let cookie = ApiKeyValue::with_description(session::NAME, "Set by POST /session");
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
}

fn problems(operation: &mut Operation, shared: &[(&str, &str)]) {
    for (status, about) in shared {
        operation.responses.responses.entry((*status).to_owned()).or_insert_with(|| {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            ResponseBuilder::new().description(*about).content("application/problem+json", content).build().into()
        });
    }
}
