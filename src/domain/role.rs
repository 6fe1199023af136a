//! What a caller may do.

words! {
    /// The role of a key.
    Role {
        /// Everything, keys and erasure included.
        Admin = "admin",
        /// Records in; nothing out.
        Writer = "writer",
        /// Reads, and acts: refreshes, corrections, assignments.
        Rep = "rep",
        /// Reads.
        Viewer = "viewer",
    }
}
