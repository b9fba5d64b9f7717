//! An HTTP server on loopback that gives canned answers, in order, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

/// One canned answer.
pub(crate) struct Answer {
    status: u16,
    date: &'static str,
    content_type: &'static str,
    query_error: Option<&'static str>,
    request_id: Option<&'static str>,
    /// The request is read, and the connection is closed without a word.
    is_lost: bool,
    body: Vec<u8>,
}

pub(crate) const DATE: &str = "Fri, 15 Jan 2027 08:00:00 GMT";
/// The moment that `DATE` names.
pub(crate) const DATE_UNIX_SECS: i64 = 1_800_000_000;

impl Answer {
    /// An SQS answer.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        let content_type = "application/x-amz-json-1.0";
        Self {
            status,
            date: DATE,
            content_type,
            query_error: None,
            request_id: None,
            is_lost: false,
            body: body.as_bytes().to_vec(),
        }
    }

    /// An answer to `BatchMeterUsage`, or an error of it.
    pub(crate) fn metering(status: u16, body: &str) -> Self {
        Self {
            content_type: "application/x-amz-json-1.1",
            request_id: Some("req-1"),
            ..Self::json(status, body)
        }
    }

    /// An answer to `GetEntitlements`, or an error of it, in RPC v2 CBOR.
    pub(crate) fn cbor(status: u16, body: Vec<u8>) -> Self {
        Self { content_type: "application/cbor", body, ..Self::json(status, "") }
    }

    /// An answer that is lost on its way.
    pub(crate) fn lost() -> Self {
        Self { is_lost: true, ..Self::json(200, "") }
    }

    /// An SQS error, with the header in which SQS repeats its old error code.
    pub(crate) fn sqs_error(status: u16, code: &str, query_error: &'static str) -> Self {
        let body = format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"no"}}"#);
        Self { query_error: Some(query_error), ..Self::json(status, &body) }
    }

    /// An SNS answer to `action`, given what stands inside its result.
    pub(crate) fn sns(action: &str, result: &str) -> Self {
        let body = format!(
            "<{action}Response xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><{action}Result>{result}\
             </{action}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"
        );
        Self { content_type: "text/xml", ..Self::json(200, &body) }
    }

    /// An SNS error.
    pub(crate) fn sns_error(status: u16, code: &str) -> Self {
        let body = format!(
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>"
        );
        Self { content_type: "text/xml", ..Self::json(status, &body) }
    }

    /// The same answer with another body.
    pub(crate) fn map_body(self, change: impl FnOnce(String) -> String) -> Self {
        let body = String::from_utf8(self.body).unwrap();
        Self { body: change(body).into_bytes(), ..self }
    }

    fn write_to(&self, mut stream: &TcpStream) {
        let query_error =
            self.query_error.map_or(String::new(), |code| format!("x-amzn-query-error: {code}\r\n"));
        let request_id = self.request_id.map_or(String::new(), |id| format!("x-amzn-requestid: {id}\r\n"));
        let Self { status, date, content_type, body, .. } = self;
        let protocol =
            if *content_type == "application/cbor" { "smithy-protocol: rpc-v2-cbor\r\n" } else { "" };
        write!(
            stream,
            "HTTP/1.1 {status} Answer\r\ndate: {date}\r\ncontent-type: {content_type}\r\n{query_error}{request_id}{protocol}\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        )
        .unwrap();
        stream.write_all(body).unwrap();
    }
}

/// The running server; it ends when all its answers are given.
pub(crate) struct FakeService {
    pub(crate) url: String,
    serving: JoinHandle<Vec<String>>,
}

impl FakeService {
    pub(crate) fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            answers.iter().map(|answer| answer_one(&listener, answer)).collect::<Vec<String>>()
        });
        Self { url, serving }
    }

    /// All requests, once every answer is given: head and body as one text each.
    pub(crate) fn requests(self) -> Vec<String> {
        self.serving.join().unwrap()
    }
}

fn answer_one(listener: &TcpListener, answer: &Answer) -> String {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(&stream);
    let mut request = String::new();
    let mut body_bytes = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            body_bytes = length.trim().parse().unwrap();
        }
        request.push_str(&line);
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; body_bytes];
    reader.read_exact(&mut body).unwrap();
    request.push_str(&String::from_utf8_lossy(&body));
    if !answer.is_lost {
        answer.write_to(&stream);
    }
    request
}
