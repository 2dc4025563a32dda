//! The oracle against the sentences of the contract.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test")]

mod conversations;
mod erasures;
mod generate;
mod laws;
mod users;
mod world;
