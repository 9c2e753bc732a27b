//! Who asks, where a client cannot sign: an access key as user name and its secret as password.
//!
//! Git and `curl` speak this. The password crosses the wire, so it is taken where the wire is this
//! machine or encrypted by whatever stands in front, as everything else is.

use std::{collections::BTreeMap, sync::Arc};

use access::{Caller, keys::Keys};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use subtle::ConstantTimeEq as _;

/// Whoever the header names and proves to be; none when it proves nothing.
pub async fn caller(headers: &HeaderMap, keys: &dyn Keys, source: &str) -> Option<Caller> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (key, secret) = text.split_once(':')?;
    let holder = keys.holder(key).await.ok()??;
    let is_same = holder.secret.reveal().as_bytes().ct_eq(secret.as_bytes());
    // Temporary credentials have a token as well, for which there is no place here.
    if !bool::from(is_same) || holder.session.is_some() {
        return None;
    }
    keys.used(&holder.access_key).await;
    let context = BTreeMap::from([("aws:sourceip".to_owned(), vec![source.to_owned()])]);
    Some(Caller::of_key(Arc::clone(&holder), context))
}
