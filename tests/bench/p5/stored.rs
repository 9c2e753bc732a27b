//! What the store really wrote: how large the rows are that lie in its file.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::recorder::{Kind, Recorded};

/// Bytes of a row of each kind, as the store keeps it: columns that are no numbers.
const SIZES: [(Kind, &str); 5] = [
    (
        Kind::Head,
        "SELECT avg(length(head) + length(live) + length(commit_id)) FROM pipeline",
    ),
    (
        Kind::Execution,
        "SELECT avg(length(body) + length(attempts) + length(id)) FROM execution",
    ),
    (
        Kind::Begin,
        "SELECT avg(length(job) + length(id)) FROM action",
    ),
    (Kind::Update, "SELECT avg(length(body)) FROM news"),
    (
        Kind::Journal,
        "SELECT avg(length(entry) + ifnull(length(outbox), 0)) FROM journal",
    ),
];

/// Makes the recorded rows as large as the store's own, however it writes them.
pub(crate) fn fit(recorded: &mut [Recorded], database: &Path) -> Result<(), rusqlite::Error> {
    let store = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    for (kind, sql) in SIZES {
        let stored: f64 = store.query_row(sql, [], |row| row.get(0))?;
        let factor = stored / mean(recorded, kind);
        let rows = recorded.iter_mut().flatten().flatten();
        for row in rows.filter(|row| row.kind == kind) {
            let length = float(row.body.len()) * factor;
            // A row is small; what is cut off is a fraction of a byte.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a row is small"
            )]
            row.body.resize(length as usize, b' ');
        }
    }
    Ok(())
}

/// The mean of what lies in the file in the end: of rows that are written again, the last.
fn mean(recorded: &[Recorded], kind: Kind) -> f64 {
    let is_replaced = matches!(kind, Kind::Head | Kind::Execution);
    let lengths = recorded.iter().flat_map(|execution| {
        let rows = execution.iter().flatten().filter(|row| row.kind == kind);
        let mut lengths: Vec<usize> = rows.map(|row| row.body.len()).collect();
        if is_replaced && let Some(last) = lengths.pop() {
            lengths = vec![last];
        }
        lengths
    });
    let (count, bytes) = lengths.fold((0, 0), |(count, bytes), length| (count + 1, bytes + length));
    float(bytes) / float(count)
}

fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
