//! Signatures that were seen: each is good once.

use super::Actors;
use crate::error::Error;

/// Whether a signature was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonce {
    /// Never; it is from now on.
    Fresh,
    /// It was, here or in another process.
    Spent,
}

impl Actors {
    /// Spends the nonce of a *verified* signature: who only knows the name of a key must not
    /// burn its nonces (weakness A3). It is remembered until `expires`, in Unix seconds, and
    /// on the disk when this returns.
    ///
    /// # Errors
    /// [`Error`] of the database; the signature must not count then.
    pub fn spend_nonce(&self, key_id: &str, nonce: &str, expires: i64) -> Result<Nonce, Error> {
        self.write(|step| {
            let now = step.now.as_second();
            let sql = "DELETE FROM txco_nonces WHERE expires < ?1";
            step.transaction.execute(sql, [now]).map_err(Error::of)?;
            let sql = "INSERT OR IGNORE INTO txco_nonces (key_id, nonce, expires) VALUES (?1, ?2, ?3)";
            let new = step.transaction.execute(sql, (key_id, nonce, expires)).map_err(Error::of)?;
            Ok(if new == 0 { Nonce::Spent } else { Nonce::Fresh })
        })
    }
}
