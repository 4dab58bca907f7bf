//! The only way out: draft, splice, policy, client, mask.
