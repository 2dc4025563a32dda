//! Decoding, against the contract.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test")]

mod accepted;
mod generate;
mod rejected;
mod robust;
mod round_trip;
mod schema;
mod wire;
