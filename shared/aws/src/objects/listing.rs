//! Pages of keys.
//!
//! S3 begins a listing after a key, and the port at one: so the key itself is asked for first,
//! unless the place is just after another key, as it is between two pages. A page that ends with a
//! beginning that keys share goes on beyond all of those.

use aws_sdk_s3::{operation::list_objects_v2::ListObjectsV2Output, types::EncodingType};
use ports::objects::{ListObjects, ObjectError, ObjectInfo, Page, beyond, just_after};
use tokio::task::JoinSet;

use super::{
    LIST_MAX, LOOKS_AT_ONCE, Objects, Place,
    failed::{About, failed, system},
    names,
};

/// Where a listing begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Beginning,
    /// With this key, if it is there.
    At(String),
    After(String),
}

impl Start {
    pub(super) fn of(from: &str, prefix: &str) -> Self {
        if from <= prefix {
            return Self::Beginning;
        }
        match from.strip_suffix('\0') {
            Some(key) => Self::After(key.to_owned()),
            None => Self::At(from.to_owned()),
        }
    }
}

/// The keys of a page, before the objects are looked at.
#[derive(Default)]
struct Names {
    keys: Vec<String>,
    prefixes: Vec<String>,
    next: Option<String>,
}

/// What the keys of `prefix` share up to and with the delimiter, if the key has one there.
pub(super) fn common<'a>(key: &'a str, prefix: &str, delimiter: &str) -> Option<&'a str> {
    if delimiter.is_empty() {
        return None;
    }
    let at = key.strip_prefix(prefix)?.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

impl Objects {
    pub(super) async fn page(&self, request: ListObjects<'_>) -> Result<Page, ObjectError> {
        names::check_bucket(request.bucket)?;
        let names = self.names(request).await?;
        Ok(Page {
            objects: self.objects(request.bucket, names.keys).await?,
            prefixes: names.prefixes,
            next: names.next,
        })
    }

    async fn names(&self, request: ListObjects<'_>) -> Result<Names, ObjectError> {
        let limit = request.limit.min(LIST_MAX);
        let mut names = Names::default();
        let mut start = Start::of(request.from, request.prefix);
        if let Some(group) = common(request.from, request.prefix, request.delimiter) {
            // Within keys that share a beginning: they are one entry if there is one from here on.
            if self
                .has_key_from(request.bucket, group, request.from)
                .await?
            {
                names.prefixes.push(group.to_owned());
            }
            let Some(rest) = beyond(group) else {
                return Ok(names);
            };
            start = Start::At(rest);
        }
        if let Start::At(key) = &start
            && names.prefixes.len() < limit
            && self.has_key(request.bucket, key).await?
        {
            names.keys.push(key.clone());
        }
        let left = limit.saturating_sub(names.keys.len() + names.prefixes.len());
        let page = self.list_once(request, &start, left.max(1)).await?;
        let has_more = page.is_truncated.unwrap_or_default();
        let (keys, prefixes) = (keys(&page), prefixes(&page));
        if left == 0 {
            // The page is full; this was to know whether there is more.
            let is_last = keys.is_empty() && prefixes.is_empty();
            names.next = match (is_last, start) {
                (true, _) => None,
                (false, Start::At(key)) if names.keys.is_empty() => Some(key),
                (false, Start::At(key) | Start::After(key)) => Some(just_after(&key)),
                (false, Start::Beginning) => Some(request.prefix.to_owned()),
            };
            return Ok(names);
        }
        names.next = match (has_more, keys.last(), prefixes.last()) {
            (false, _, _) | (true, None, None) => None,
            (true, Some(key), Some(prefix)) if key > prefix => Some(just_after(key)),
            (true, _, Some(prefix)) => beyond(prefix),
            (true, Some(key), None) => Some(just_after(key)),
        };
        names.keys.extend(keys);
        names.prefixes.extend(prefixes);
        Ok(names)
    }

    /// Whether there is an object of that very key: it would be the first with that beginning.
    async fn has_key(&self, bucket: &str, key: &str) -> Result<bool, ObjectError> {
        let request = ListObjects {
            bucket,
            prefix: key,
            delimiter: "",
            from: "",
            limit: 1,
        };
        let page = self.list_once(request, &Start::Beginning, 1).await?;
        Ok(keys(&page).first().is_some_and(|first| first == key))
    }

    /// Whether there is a key that begins with `prefix` and is `from` or comes after it.
    async fn has_key_from(
        &self,
        bucket: &str,
        prefix: &str,
        from: &str,
    ) -> Result<bool, ObjectError> {
        let request = ListObjects {
            bucket,
            prefix,
            delimiter: "",
            from,
            limit: 1,
        };
        let start = Start::of(from, prefix);
        if let Start::At(key) = &start
            && self.has_key(bucket, key).await?
        {
            return Ok(true);
        }
        let page = self.list_once(request, &start, 1).await?;
        Ok(!keys(&page).is_empty())
    }

    /// One request: what comes after the start, without the key that it begins at.
    async fn list_once(
        &self,
        request: ListObjects<'_>,
        start: &Start,
        limit: usize,
    ) -> Result<ListObjectsV2Output, ObjectError> {
        let after = match start {
            Start::Beginning => None,
            Start::At(key) | Start::After(key) => Some(key.clone()),
        };
        let delimiter = Some(request.delimiter).filter(|delimiter| !delimiter.is_empty());
        let sent = self
            .client
            .list_objects_v2()
            .bucket(request.bucket)
            .prefix(request.prefix)
            .set_delimiter(delimiter.map(str::to_owned))
            .set_start_after(after)
            .max_keys(max_keys(limit))
            .encoding_type(EncodingType::Url)
            .send()
            .await;
        sent.map_err(|error| {
            let doing = format!("list bucket `{}`", request.bucket);
            failed(&doing, About::Bucket(request.bucket), &error)
        })
    }

    /// What is known of the newest versions; what was deleted meanwhile is left out.
    async fn objects(
        &self,
        bucket: &str,
        keys: Vec<String>,
    ) -> Result<Vec<ObjectInfo>, ObjectError> {
        let looked = all(keys, LOOKS_AT_ONCE, |key| {
            let (objects, bucket) = (self.clone(), bucket.to_owned());
            async move {
                let place = Place {
                    bucket: &bucket,
                    key: &key,
                    version: None,
                };
                objects.head_one(place).await
            }
        });
        let mut objects = Vec::new();
        for looked in looked.await? {
            match looked {
                Ok(object) => objects.push(object),
                Err(ObjectError::NoSuchKey { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(objects)
    }
}

/// Does something with each, some at once; the outcomes are in order.
pub(super) async fn all<T, R, F>(
    things: Vec<T>,
    at_once: usize,
    mut work: impl FnMut(T) -> F,
) -> Result<Vec<R>, ObjectError>
where
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
{
    let mut under_way: JoinSet<(usize, R)> = JoinSet::new();
    let mut outcomes = Vec::new();
    for (index, thing) in things.into_iter().enumerate() {
        if under_way.len() == at_once {
            outcomes.extend(under_way.join_next().await);
        }
        let work = work(thing);
        under_way.spawn(async move { (index, work.await) });
    }
    while let Some(outcome) = under_way.join_next().await {
        outcomes.push(outcome);
    }
    let outcomes: Result<Vec<_>, _> = outcomes.into_iter().collect();
    let mut outcomes = outcomes.map_err(|error| system("look at what was listed", error))?;
    outcomes.sort_by_key(|(index, _)| *index);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// The most that a page may hold, as S3 counts.
pub(super) fn max_keys(limit: usize) -> i32 {
    i32::try_from(limit).unwrap_or(i32::MAX)
}

fn keys(page: &ListObjectsV2Output) -> Vec<String> {
    let encoding = page.encoding_type();
    let keys = page.contents().iter().filter_map(|object| object.key());
    keys.map(|key| plain(key, encoding)).collect()
}

fn prefixes(page: &ListObjectsV2Output) -> Vec<String> {
    let encoding = page.encoding_type();
    let prefixes = page.common_prefixes().iter();
    prefixes
        .filter_map(|group| group.prefix())
        .map(|prefix| plain(prefix, encoding))
        .collect()
}

/// A key as it is: S3 was asked to write them as URLs do, for XML has no room for every character.
pub(super) fn plain(text: &str, encoding: Option<&EncodingType>) -> String {
    if encoding != Some(&EncodingType::Url) {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let digits = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let coded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, coded) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(other),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_begins_at_a_key_unless_it_is_just_after_one() {
        assert_eq!(Start::of("", ""), Start::Beginning);
        assert_eq!(Start::of("a", "b"), Start::Beginning);
        assert_eq!(Start::of("b", "b"), Start::Beginning);
        assert_eq!(Start::of("b0", "b"), Start::At("b0".to_owned()));
        assert_eq!(
            Start::of(&just_after("b0"), "b"),
            Start::After("b0".to_owned())
        );
    }

    #[test]
    fn keys_share_what_ends_with_the_first_delimiter_after_the_prefix() {
        assert_eq!(common("a/b/c", "", "/"), Some("a/"));
        assert_eq!(common("a/b/c", "a/", "/"), Some("a/b/"));
        assert_eq!(common("a/b", "a/", "/"), None);
        assert_eq!(common("x/b", "a/", "/"), None);
        assert_eq!(common("a/b", "", ""), None);
    }

    #[test]
    fn keys_are_read_as_urls_write_them() {
        let url = Some(&EncodingType::Url);
        assert_eq!(plain("a%2Bb+c/%C3%A4%0A", url), "a+b c/ä\n");
        assert_eq!(plain("100%25 %zz %", url), "100% %zz %");
        assert_eq!(plain("%ff", url), "%ff");
        assert_eq!(plain("a+%41", None), "a+%41");
    }

    #[tokio::test]
    async fn outcomes_are_in_order_however_many_are_under_way() {
        let numbers: Vec<u32> = (0..50).collect();
        let done = all(numbers.clone(), 3, |number| async move {
            for _ in 0..(number % 5) {
                tokio::task::yield_now().await;
            }
            number
        });
        assert_eq!(done.await.expect("all of them end"), numbers);
    }
}
