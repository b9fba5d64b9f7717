use std::io::{self, BufRead, BufReader, Read};

use anyhow::{Context, bail};
use csv::{ReaderBuilder, StringRecord, Trim};
use stallkeeper_ledger::Submission;

use super::Format;
use super::fields::{Fields, Quantity, Unreadable};

/// The longest line of JSON, in bytes: more than any event that is accepted.
const LINE_MAX: usize = 64 * 1_024;

/// The columns of CSV; those after the sixth may be left out.
const COLUMNS: [&str; 8] =
    ["id", "tenant", "product", "dimension", "quantity", "occurred_at", "user", "subscription"];
const REQUIRED: usize = 6;

/// One line of the file.
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: u64,
    /// The event that it says.
    pub(super) submission: Result<Submission, Unreadable>,
}

/// The file's lines, read one by one.
///
/// # Errors
/// A CSV file whose columns are not those of an event; each line would be refused.
pub(super) fn lines(
    format: Format,
    file: Box<dyn Read>,
) -> anyhow::Result<Box<dyn Iterator<Item = io::Result<Line>>>> {
    match format {
        Format::Csv => Ok(Box::new(csv_lines(file)?)),
        Format::Jsonl => Ok(Box::new(JsonLines { reader: BufReader::new(file), number: 0 })),
    }
}

fn csv_lines(file: Box<dyn Read>) -> anyhow::Result<impl Iterator<Item = io::Result<Line>>> {
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(file);
    let header = reader.headers().context("the first line cannot be read")?.clone();
    let columns = columns(&header)?;
    let line = move |record: Result<StringRecord, csv::Error>| match record {
        Ok(record) => {
            let number = record.position().map_or(0, csv::Position::line);
            Ok(Line { number, submission: fields(&record, &columns).submission() })
        }
        Err(error) if error.is_io_error() => Err(io::Error::other(error)),
        Err(error) => {
            let number = error.position().map_or(0, csv::Position::line);
            let why = csv_words(&error);
            Ok(Line { number, submission: Err(Unreadable { id: None, why }) })
        }
    };
    Ok(reader.into_records().map(line))
}

/// Where each column stands.
fn columns(header: &StringRecord) -> anyhow::Result<[Option<usize>; 8]> {
    // A file from a spreadsheet may begin with a mark of its encoding.
    let names: Vec<&str> = header.iter().map(|name| name.trim_start_matches('\u{feff}')).collect();
    if let Some(unknown) = names.iter().find(|name| !COLUMNS.contains(name)) {
        bail!("unknown column {unknown:?}; known are {}", COLUMNS.join(", "));
    }
    let columns = COLUMNS.map(|column| names.iter().position(|name| *name == column));
    let missing = COLUMNS.iter().zip(&columns).take(REQUIRED).find(|(_, place)| place.is_none());
    if let Some((column, _)) = missing {
        bail!("the column {column} is missing; the first line has to name {}", COLUMNS.join(", "));
    }
    Ok(columns)
}

fn fields(record: &StringRecord, columns: &[Option<usize>; 8]) -> Fields {
    let cell = |place: Option<usize>| record.get(place?).filter(|text| !text.is_empty()).map(str::to_owned);
    let [id, tenant, product, dimension, quantity, occurred_at, user, subscription] = columns.map(cell);
    Fields {
        id: id.unwrap_or_default(),
        tenant: tenant.unwrap_or_default(),
        product: product.unwrap_or_default(),
        dimension: dimension.unwrap_or_default(),
        quantity: Quantity::Text(quantity.unwrap_or_default()),
        occurred_at: occurred_at.unwrap_or_default(),
        user,
        tags: None,
        subscription,
    }
}

fn csv_words(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} cells, where the first line has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

struct JsonLines<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> Iterator for JsonLines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        loop {
            let line = match self.line() {
                Ok(line) => line?,
                Err(error) => return Some(Err(error)),
            };
            self.number += 1;
            if !line.trim_ascii().is_empty() {
                return Some(Ok(Line { number: self.number, submission: event(&line) }));
            }
        }
    }
}

impl<R: BufRead> JsonLines<R> {
    /// The next line, with one byte too many where it is too long; the rest of it is left out.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let most = u64::try_from(LINE_MAX).unwrap_or(u64::MAX).saturating_add(1);
        self.reader.by_ref().take(most).read_until(b'\n', &mut line)?;
        if line.len() > LINE_MAX && !line.ends_with(b"\n") {
            self.reader.skip_until(b'\n')?;
        }
        Ok(Some(line).filter(|line| !line.is_empty()))
    }
}

fn event(line: &[u8]) -> Result<Submission, Unreadable> {
    let unreadable = |why| Unreadable { id: None, why };
    if line.len() > LINE_MAX {
        return Err(unreadable(format!("longer than {LINE_MAX} bytes")));
    }
    let fields: Fields = serde_json::from_slice(line).map_err(|error| unreadable(error.to_string()))?;
    fields.submission()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Format, text: &str) -> Vec<(u64, Result<String, String>)> {
        let lines = lines(format, Box::new(io::Cursor::new(text.to_owned()))).unwrap();
        let line = |line: io::Result<Line>| {
            let Line { number, submission } = line.unwrap();
            (
                number,
                submission.map(|event| format!("{} {}", event.id, event.quantity)).map_err(|error| error.why),
            )
        };
        lines.map(line).collect()
    }

    fn refused(text: &str) -> String {
        lines(Format::Csv, Box::new(io::Cursor::new(text.to_owned()))).err().unwrap().to_string()
    }

    #[test]
    fn csv_columns_stand_in_any_order_and_quantities_keep_their_digits() {
        let text = "\u{feff}tenant,id,quantity,product,dimension,occurred_at\n\
                    acme,e1, 0.1000000000000000001 ,search,requests,2026-03-01T11:00:00Z\n";
        assert_eq!(read(Format::Csv, text), [(2, Ok("e1 0.1000000000000000001".to_owned()))]);
    }

    #[test]
    fn a_csv_line_that_is_wrong_is_told_by_its_number_and_the_next_is_read() {
        let text = "id,tenant,product,dimension,quantity,occurred_at,user,subscription\n\
                    e1,acme\n\
                    e2,acme,search,requests,1,yesterday,,\n\
                    \"e\n3\",acme,search,requests,1,2026-03-01T11:00:00Z,,\n\
                    e4,acme,search,requests,1,2026-03-01T11:00:00Z,,aws/prod1/customer/X01\n";
        let read = read(Format::Csv, text);
        assert_eq!(read[0], (2, Err("2 cells, where the first line has 8".to_owned())));
        assert_eq!(
            read[1],
            (3, Err("occurred_at: not an RFC 3339 time between the years 0 and 9999".to_owned()))
        );
        assert!(
            read[2].0 == 4 && read[2].1.as_ref().is_err_and(|why| why.starts_with("id: expected")),
            "{read:?}"
        );
        assert_eq!(read[3], (6, Ok("e4 1".to_owned())));
    }

    #[test]
    fn a_csv_file_with_other_columns_is_refused_as_a_whole() {
        assert!(
            refused("id,tenant,product,dimension,quantity,when\n").starts_with("unknown column \"when\"")
        );
        let words = refused("id,tenant,product,dimension,quantity\n");
        assert!(words.starts_with("the column occurred_at is missing"), "{words}");
    }

    #[test]
    fn json_lines_are_what_the_api_takes() {
        let event = |rest: &str| {
            format!(
                "{{\"id\":\"e1\",\"tenant\":\"acme\",\"product\":\"search\",\"dimension\":\"requests\",\
                 \"occurred_at\":\"2026-03-01T11:00:00Z\",{rest}}}\n"
            )
        };
        let text = [
            event("\"quantity\":\"1.50\""),
            "\n".to_owned(),
            event("\"quantity\":0.1,\"tags\":{\"team\":\"a\"}"),
        ]
        .concat();
        assert_eq!(read(Format::Jsonl, &text), [(1, Ok("e1 1.50".to_owned())), (3, Ok("e1 0.1".to_owned()))]);
        let read = read(Format::Jsonl, &event("\"quantity\":1,\"colour\":\"red\""));
        assert!(read[0].1.as_ref().is_err_and(|why| why.contains("unknown field `colour`")), "{read:?}");
    }

    #[test]
    fn a_line_of_json_beyond_all_bounds_is_refused_and_the_next_is_read() {
        let text = format!("{{\"id\":\"{}\"}}\nnull\n", "x".repeat(LINE_MAX));
        let read = read(Format::Jsonl, &text);
        assert_eq!(read[0], (1, Err("longer than 65536 bytes".to_owned())));
        assert_eq!((read.len(), read[1].0), (2, 2));
    }
}
