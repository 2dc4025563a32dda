//! Decoding and the oracle, held against the contract.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test")]

mod accepted;
mod generate;
mod oracle_conversations;
mod oracle_laws;
mod oracle_users;
mod rejected;
mod robust;
mod round_trip;
mod wire;
mod world;
