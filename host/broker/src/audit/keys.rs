//! A key for each case, in the books. What it sealed is gone when it is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use store::Digest;
use store::books::{Books, BooksError};

use super::Unavailable;
use crate::store;

/// Where they are.
const SHELF: &str = "audit-keys";

/// So many are kept at hand.
const AT_HAND: usize = 4096;

/// Which key belongs to a case: a name that does not tell it and is never too long.
pub(super) fn case_of(tenant: &str, task: &str) -> String {
    Digest::of(format!("{tenant}\n{task}").as_bytes()).hex()
}

/// The keys of a host.
pub(super) struct Keys {
    books: Books,
    at_hand: Mutex<BTreeMap<String, Arc<CaseKey>>>,
}

impl Keys {
    pub(super) fn new(books: Books) -> Keys {
        Keys {
            books,
            at_hand: Mutex::default(),
        }
    }

    /// The key of a case, made when there is none.
    pub(super) async fn of(&self, case: &str) -> Result<Arc<CaseKey>, Unavailable> {
        if let Some(key) = self.lock().get(case) {
            return Ok(Arc::clone(key));
        }
        let new = CaseKey::random()?;
        let name = case.to_owned();
        let kept = self.books.write(move |page| {
            if let Some(text) = page.get(SHELF, &name)? {
                return Ok::<_, BooksError>(text);
            }
            page.put(SHELF, &name, &new)?;
            Ok(new)
        });
        let key = Arc::new(CaseKey::read(&kept.await?)?);
        let mut at_hand = self.lock();
        if at_hand.len() >= AT_HAND {
            at_hand.clear();
        }
        at_hand.insert(case.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<CaseKey>>> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of a case; none when it was erased, or never was.
pub fn open_case(books: &Books, tenant: &str, task: &str) -> Result<Option<CaseKey>, Unavailable> {
    let case = case_of(tenant, task);
    let kept = books.write_now(move |page| page.get(SHELF, &case));
    kept.map_err(Unavailable::from)?
        .map(|text| CaseKey::read(&text))
        .transpose()
}

/// Destroys the key of a case. Whether there was one.
pub fn erase(books: &Books, tenant: &str, task: &str) -> Result<bool, Unavailable> {
    let case = case_of(tenant, task);
    books
        .write_now(move |page| page.remove(SHELF, &case))
        .map_err(Unavailable::from)
}

/// What seals the texts of one case.
pub struct CaseKey {
    seal: LessSafeKey,
    digest: hmac::Key,
}

impl fmt::Debug for CaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CaseKey")
    }
}

impl CaseKey {
    /// A new one, as it is kept.
    fn random() -> Result<String, Unavailable> {
        let mut bytes = [0; 32];
        fill(&mut bytes)?;
        Ok(STANDARD.encode(bytes))
    }

    fn read(text: &str) -> Result<CaseKey, Unavailable> {
        let bad = || Unavailable("a case's key in the books is damaged".to_owned());
        let bytes = STANDARD.decode(text).map_err(|_| bad())?;
        if bytes.len() != 32 {
            return Err(bad());
        }
        let root = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let part = |what: &str| hmac::sign(&root, what.as_bytes());
        let seal = UnboundKey::new(&AES_256_GCM, part("seal").as_ref()).map_err(|_| bad())?;
        Ok(CaseKey {
            seal: LessSafeKey::new(seal),
            digest: hmac::Key::new(hmac::HMAC_SHA256, part("digest").as_ref()),
        })
    }

    /// A digest that nobody can guess the text of without the key.
    pub fn digest(&self, what: &str, text: &str) -> String {
        let mut context = hmac::Context::with_key(&self.digest);
        context.update(what.as_bytes());
        context.update(b"\n");
        context.update(text.as_bytes());
        let tag = context.sign();
        let hex = tag.as_ref().iter().map(|byte| format!("{byte:02x}"));
        format!("hmac-sha256:{}", hex.collect::<String>())
    }

    /// Seals a text: base64 of a nonce and what only the key opens.
    pub(super) fn seal(&self, what: &str, text: &str) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce).ok()?;
        let mut sealed = text.as_bytes().to_vec();
        let aad = Aad::from(what.as_bytes());
        let at = Nonce::assume_unique_for_key(nonce);
        self.seal
            .seal_in_place_append_tag(at, aad, &mut sealed)
            .ok()?;
        Some(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what was sealed with this key.
    pub(super) fn open(&self, what: &str, sealed: &str) -> Option<String> {
        let bytes = STANDARD.decode(sealed).ok()?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut rest = rest.to_vec();
        let aad = Aad::from(what.as_bytes());
        let at = Nonce::assume_unique_for_key(*nonce);
        let text = self.seal.open_in_place(at, aad, &mut rest).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

fn fill(bytes: &mut [u8]) -> Result<(), Unavailable> {
    SystemRandom::new()
        .fill(bytes)
        .map_err(|_| Unavailable("the system gives no random numbers".to_owned()))
}
