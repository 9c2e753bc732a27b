//! The order of versions and markers in S3's answer.
//!
//! The SDK gives versions and markers in two lists, each in order, and what lies between is lost:
//! their times are whole seconds and do not tell. The answer itself says it.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::AfterDeserializationInterceptorContextRef},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Version,
    Marker,
}

/// Given to one request; holds the order of its answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Order(Arc<Mutex<Vec<Kind>>>);

impl Order {
    pub(super) fn take(&self) -> Vec<Kind> {
        // A list is whole whatever happened to the thread that made it.
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for Order {
    fn name(&self) -> &'static str {
        "Order"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = kinds(body);
        Ok(())
    }
}

/// The tags of entries, in order. No text of an entry can hold one: `<` is written as `&lt;` there.
fn kinds(body: &[u8]) -> Vec<Kind> {
    let begins = |tail: &[u8], name: &[u8]| {
        tail.strip_prefix(name)
            .and_then(<[u8]>::first)
            .is_some_and(|next| matches!(next, b'>' | b' ' | b'\n' | b'\r' | b'\t'))
    };
    let tags = body.split(|byte| *byte == b'<').skip(1);
    tags.filter_map(|tag| {
        if begins(tag, b"Version") {
            Some(Kind::Version)
        } else if begins(tag, b"DeleteMarker") {
            Some(Kind::Marker)
        } else {
            None
        }
    })
    .collect()
}

/// The two lists as one, in that order. One that does not fit them, which no answer of S3's is, is
/// told by nothing.
pub(super) fn merged<T>(order: &[Kind], versions: Vec<T>, markers: Vec<T>) -> Option<Vec<T>> {
    if order.len() != versions.len() + markers.len() {
        return None;
    }
    let (mut versions, mut markers) = (versions.into_iter(), markers.into_iter());
    order
        .iter()
        .map(|kind| match kind {
            Kind::Version => versions.next(),
            Kind::Marker => markers.next(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use Kind::{Marker, Version};

    use super::*;

    #[test]
    fn the_order_is_that_of_the_tags() {
        let body = b"<?xml version='1.0'?><ListVersionsResult><VersionIdMarker/>\
            <Version><Key>&lt;DeleteMarker></Key><VersionId>1</VersionId></Version>\
            <DeleteMarker ><Key>k</Key></DeleteMarker>\n<Version>\n</Version></ListVersionsResult>";
        assert_eq!(kinds(body), [Version, Marker, Version]);
        assert_eq!(kinds(b"no XML"), []);
        assert_eq!(kinds(b"<Version"), []);
    }

    #[test]
    fn two_lists_become_one_or_none() {
        let order = [Marker, Version, Version];
        assert_eq!(merged(&order, vec![1, 2], vec![3]), Some(vec![3, 1, 2]));
        assert_eq!(merged(&order, vec![1], vec![2, 3]), None);
        assert_eq!(merged(&order, vec![1], vec![]), None);
    }
}
