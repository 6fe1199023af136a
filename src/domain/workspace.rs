//! A workspace is a tenant: everything belongs to exactly one, and every stored thing is asked for by it first.

/// The number of a workspace. Handed out by the store when a workspace is opened by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkspaceId(pub i64);

/// The longest name of a workspace, in bytes.
const MAX_NAME: usize = 100;

impl WorkspaceId {
    /// Whether a workspace may have this name.
    ///
    /// # Errors
    /// Says what a name looks like.
    pub fn check_name(name: &str) -> Result<(), String> {
        if name.trim().is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(format!("workspace {name:?} is not a name of 1 to {MAX_NAME} bytes"));
        }
        Ok(())
    }
}
