//! A workspace is a tenant: everything belongs to exactly one, and every stored thing is asked for by it first.

/// The number of a workspace. Handed out by the store when a workspace is opened by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkspaceId(pub i64);
