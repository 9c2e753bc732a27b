//! Pages of keys and versions. What shares a beginning is skipped in one step, however much it is.

use ports::objects::{
    ListObjects, ListVersions, ObjectError, Page, Version, VersionsPage, beyond, just_after,
};
use rusqlite::{CachedStatement, Connection, Params, params};

use super::{
    Index,
    rows::{COLUMNS, version},
    sql_failed,
};

impl Index {
    pub(in crate::objects) fn list_page(
        &self,
        request: ListObjects<'_>,
    ) -> Result<Page, ObjectError> {
        self.check_bucket(request.bucket)?;
        objects(&self.connection, request)
            .map_err(|error| sql_failed(format!("list bucket `{}`", request.bucket), error))
    }

    pub(in crate::objects) fn list_versions(
        &self,
        request: ListVersions<'_>,
    ) -> Result<VersionsPage, ObjectError> {
        self.check_bucket(request.bucket)?;
        let doing = || format!("list the versions in bucket `{}`", request.bucket);
        versions(&self.connection, request).map_err(|error| sql_failed(doing(), error))
    }
}

/// What the keys of `prefix` share up to and with the delimiter, if the key has one there.
fn common<'a>(key: &'a str, prefix: &str, delimiter: &str) -> Option<&'a str> {
    if delimiter.is_empty() {
        return None;
    }
    let at = key.get(prefix.len()..)?.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

fn objects(connection: &Connection, request: ListObjects<'_>) -> rusqlite::Result<Page> {
    let end = beyond(request.prefix);
    let mut query = statement(
        connection,
        "newest JOIN version ON version.sequence = newest.sequence",
        "newest.key",
        end.is_some(),
    )?;
    let mut page = Page::default();
    let mut from = request.from.max(request.prefix).to_owned();
    'seek: loop {
        // One row more than fits tells whether there is more.
        let left = request.limit - page.objects.len() - page.prefixes.len();
        let wanted = i64::try_from(left + 1).unwrap_or(i64::MAX);
        let mut rows = query.query(params![request.bucket, from, wanted, end])?;
        while let Some(row) = rows.next()? {
            let Version::Object(object) = version(row)? else {
                continue;
            };
            if page.objects.len() + page.prefixes.len() == request.limit {
                page.next = Some(from);
                return Ok(page);
            }
            if let Some(prefix) = common(&object.key, request.prefix, request.delimiter) {
                page.prefixes.push(prefix.to_owned());
                match beyond(prefix) {
                    Some(next) => from = next,
                    None => return Ok(page),
                }
                continue 'seek;
            }
            from = just_after(&object.key);
            page.objects.push(*object);
        }
        return Ok(page);
    }
}

fn versions(connection: &Connection, request: ListVersions<'_>) -> rusqlite::Result<VersionsPage> {
    let end = beyond(request.prefix);
    let mut query = statement(connection, "version", "version.key", end.is_some())?;
    let mut page = VersionsPage::default();
    let mut from = request.from.max(request.prefix).to_owned();
    let mut past = past(connection, request)?;
    // The key whose newest version was passed already.
    let mut passed: Option<String> = past.map(|_| request.from.to_owned());
    'seek: loop {
        let left = request.limit - page.versions.len() - page.prefixes.len();
        let wanted = i64::try_from(left + 1).unwrap_or(i64::MAX);
        if let Some(sequence) = past.take() {
            let rest = rest(connection, request, sequence, wanted)?;
            for version in rest {
                if page.versions.len() == request.limit {
                    page.is_cut = true;
                    return Ok(page);
                }
                page.versions.push((version, false));
            }
            from = just_after(request.from);
            continue;
        }
        let mut rows = query.query(params![request.bucket, from, wanted, end])?;
        while let Some(row) = rows.next()? {
            if page.versions.len() + page.prefixes.len() == request.limit {
                page.is_cut = true;
                return Ok(page);
            }
            let version = version(row)?;
            if let Some(prefix) = common(version.key(), request.prefix, request.delimiter) {
                page.prefixes.push(prefix.to_owned());
                match beyond(prefix) {
                    Some(next) => from = next,
                    None => return Ok(page),
                }
                continue 'seek;
            }
            let is_newest = passed.as_deref() != Some(version.key());
            passed = Some(version.key().to_owned());
            page.versions.push((version, is_newest));
        }
        return Ok(page);
    }
}

/// The number of the version after which to begin, if it is still there.
fn past(connection: &Connection, request: ListVersions<'_>) -> rusqlite::Result<Option<i64>> {
    let is_one_entry = common(request.from, request.prefix, request.delimiter).is_some();
    let is_within = request.from >= request.prefix && !is_one_entry;
    let Some(past) = request.past.filter(|_| is_within) else {
        return Ok(None);
    };
    let sql = "SELECT sequence FROM version WHERE bucket = ?1 AND key = ?2 AND version_id = ?3";
    let mut query = connection.prepare_cached(sql)?;
    let mut rows = query.query(params![request.bucket, request.from, past])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

/// The versions of the key `from` that are older than that one.
fn rest(
    connection: &Connection,
    request: ListVersions<'_>,
    sequence: i64,
    wanted: i64,
) -> rusqlite::Result<Vec<Version>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM version
         WHERE bucket = ?1 AND key = ?2 AND sequence < ?3 ORDER BY sequence DESC LIMIT ?4"
    );
    let mut query = connection.prepare_cached(&sql)?;
    collect(
        &mut query,
        params![request.bucket, request.from, sequence, wanted],
    )
}

fn collect(query: &mut CachedStatement<'_>, params: impl Params) -> rusqlite::Result<Vec<Version>> {
    query.query_map(params, version)?.collect()
}

/// Rows in order of key, from one key on. The end is an own text of the statement, because only a
/// plain comparison ends the walk over the index.
fn statement<'a>(
    connection: &'a Connection,
    tables: &str,
    key: &str,
    has_end: bool,
) -> rusqlite::Result<CachedStatement<'a>> {
    let table = key.split('.').next().unwrap_or(key);
    let order = if table == "version" {
        "version.key, version.sequence DESC"
    } else {
        key
    };
    // Both forms have the same parameters.
    let end = if has_end {
        format!("{key} < ?4")
    } else {
        "?4 IS NULL".to_owned()
    };
    connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM {tables}
         WHERE {table}.bucket = ?1 AND {key} >= ?2 AND {end} ORDER BY {order} LIMIT ?3"
    ))
}

#[cfg(test)]
mod tests {
    use ports::objects::ListObjects;

    use super::*;

    const KEYS: i64 = 20_000;

    /// Far fewer than a walk over the keys takes.
    const STEPS_MAX: i32 = 1_000;

    /// How many steps the database took for the statement until now.
    fn steps(index: &Index, tables: &str, key: &str) -> i32 {
        let statement = statement(&index.connection, tables, key, false).unwrap();
        let steps = statement.get_status(rusqlite::StatementStatus::VmStep);
        assert!(steps > 0, "it is the statement that ran");
        steps
    }

    fn index() -> (tempfile::TempDir, Index) {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(&folder.path().join("objects.db")).unwrap();
        let sql = format!(
            "INSERT INTO bucket VALUES ('b', 1);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {KEYS})
             INSERT INTO version (sequence, bucket, key, version_id, sha256, etag, size, modified,
                                  metadata)
             SELECT i, 'b', printf('%d/%06d', i % 4, i), i, '', '', 0, 0, '{{}}' FROM n;
             INSERT INTO newest SELECT bucket, key, sequence FROM version;"
        );
        index.connection.execute_batch(&sql).unwrap();
        (folder, index)
    }

    #[test]
    fn what_shares_a_beginning_is_not_walked_over() {
        let (_folder, index) = index();
        let request = ListObjects {
            bucket: "b",
            prefix: "",
            delimiter: "/",
            from: "",
            limit: 3,
        };
        let page = index.list_page(request).unwrap();
        assert_eq!(page.prefixes, ["0/", "1/", "2/"]);
        assert_eq!(page.next.as_deref(), Some("20"));
        let tables = "newest JOIN version ON version.sequence = newest.sequence";
        assert!(steps(&index, tables, "newest.key") < STEPS_MAX);
        let request = ListVersions {
            bucket: "b",
            prefix: "",
            delimiter: "/",
            from: "1/",
            past: None,
            limit: 10,
        };
        let page = index.list_versions(request).unwrap();
        assert_eq!(page.prefixes, ["1/", "2/", "3/"]);
        assert!(steps(&index, "version", "version.key") < STEPS_MAX);
    }
}
