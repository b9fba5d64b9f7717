//! What the configuration accepts, and in what words it refuses.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

use std::time::Duration;

use secrecy::ExposeSecret;
use stallkeeper::config::{Config, ConfigError, Kind, LogFormat};
use stallkeeper_aws::CredentialsSource;
use stallkeeper_lifecycle::{EndingAccess, Pricing, Terms};
use stallkeeper_notification::{Delivery, SignaturePolicy};
use stallkeeper_persistence::TermsOf;

/// A stall on one marketplace that can be used; its lines are counted by the tests.
const STALL: &str = r#"
[[marketplace]]
name = "aws"
kind = "aws"
queue_url = "https://sqs.eu-west-1.amazonaws.com/123456789012/stall"
topic_arns = ["arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1"]

[[product]]
key = "search"

[[product.listing]]
marketplace = "aws"
code = "prod1"
pricing = "contract"
ending_access = "none"
"#;

fn parse(file: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse(Some(("config.toml", file)), variables)
}

fn problems(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    match parse(file, variables) {
        Err(ConfigError::Refused { problems }) => problems,
        other => panic!("not refused: {other:?}"),
    }
}

/// The only problem of a file.
fn problem(file: &str) -> String {
    let problems = problems(file, &[]);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().unwrap()
}

/// The stall with a piece of it changed.
fn stall(old: &str, new: &str) -> String {
    assert!(STALL.contains(old), "{old}");
    STALL.replace(old, new)
}

#[test]
fn nothing_at_all_is_the_defaults() {
    let config = Config::parse(None, []).unwrap();
    assert_eq!(config.internal_listen.to_string(), "127.0.0.1:9090");
    assert_eq!(config.signature.policy, SignaturePolicy::Warn);
    assert_eq!(config.shutdown_grace, Duration::from_secs(25));
    assert_eq!(config.inbox_retention, Duration::from_hours(16 * 24));
    assert_eq!(config.queue.poller_config().validate(), Ok(()));
    assert!(config.marketplaces.is_empty() && config.database_url.is_none());
}

#[test]
fn a_stall_is_read_into_its_parts() {
    let config = parse(STALL, &[]).unwrap();
    let marketplace = &config.marketplaces[0];
    assert_eq!(marketplace.kind, Kind::Aws);
    assert_eq!(
        (marketplace.region.as_str(), marketplace.account().region.as_str()),
        ("us-east-1", "eu-west-1")
    );
    assert_eq!(marketplace.credentials, CredentialsSource::StandardChain);
    let feed = marketplace.feed(&config).unwrap();
    assert_eq!(feed.topics().map(|topic| topic.product().as_str()).collect::<Vec<_>>(), ["prod1"]);
    assert_eq!(marketplace.wanted().unwrap().topics.len(), 1);
}

#[test]
fn a_subscription_is_read_by_its_listings_terms() {
    let config = parse(STALL, &[]).unwrap();
    let terms = config.terms(&"aws/prod1/customer/X01".parse().unwrap());
    assert_eq!(terms, Terms { pricing: Pricing::Contract, ending: EndingAccess::None });
    assert_eq!(config.terms(&"aws/other/customer/X01".parse().unwrap()), Terms::default());
}

#[test]
fn a_simulator_stands_in_for_all_of_aws() {
    let config = parse(&format!("simulator_url = \"http://127.0.0.1:4560\"\n{STALL}"), &[]).unwrap();
    let marketplace = &config.marketplaces[0];
    assert_eq!(marketplace.credentials, CredentialsSource::Simulated);
    assert_eq!(marketplace.endpoints.sqs.as_deref(), Some("http://127.0.0.1:4560/"));
    assert_eq!(marketplace.endpoints.sns.as_deref(), Some("http://127.0.0.1:4560/"));
    assert_eq!(marketplace.endpoints.metering.as_deref(), Some("http://127.0.0.1:4560/"));
    assert_eq!(config.signature.certificate_base_url.unwrap().as_str(), "http://127.0.0.1:4560/");
}

#[test]
fn a_simulators_clock_never_meets_real_endpoints_or_credentials() {
    let real = "name = \"aws\"\nprofile = \"seller\"\nendpoint_url = { sqs = \"https://sqs.us-east-1.amazonaws.com\" }\n";
    let stall = stall("name = \"aws\"\n", real);
    let problems = problems(&format!("simulator_url = \"http://127.0.0.1:4560\"\n{stall}"), &[]);
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems.iter().all(|words| words.contains("goes without simulator_url")), "{problems:#?}");
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let words = problem("[queue]\npermits = 600\nthreads = 4\n");
    assert_eq!(
        words,
        "config.toml:3: queue.threads: unknown key; known here: wait_secs, visibility_secs, permits, receivers, poison_after"
    );
}

#[test]
fn a_missing_key_is_refused_with_the_line_of_its_table() {
    let words = problem(&stall("name = \"aws\"\n", ""));
    assert!(words.starts_with("config.toml:2: marketplace[0].name: missing"), "{words}");
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_with_what_is_expected() {
    assert_eq!(
        problem("shutdown_grace_secs = \"long\"\n"),
        "config.toml:1: shutdown_grace_secs: expected a whole number from 1 to 3600"
    );
    assert_eq!(problem("\nlog = 3\n"), "config.toml:2: log: expected a table, found a number");
    assert_eq!(
        problem("public_url = 3\n"),
        "config.toml:1: public_url: expected a text in quotes, found a number"
    );
    assert_eq!(
        problem("marketplace = 3\n"),
        "config.toml:1: marketplace: expected tables: write [[marketplace]]"
    );
}

#[test]
fn a_wrong_word_is_refused_with_the_right_ones() {
    let words = problem("[signature]\npolicy = \"strict\"\n");
    assert!(words.starts_with("config.toml:2: signature.policy: "), "{words}");
    assert!(["`off`", "`warn`", "`enforce`"].iter().all(|word| words.contains(word)), "{words}");
}

#[test]
fn a_log_filter_that_is_none_is_refused() {
    assert!(problem("[log]\nfilter = \"a=b=c\"\n").starts_with("config.toml:2: log.filter: expected levels"));
}

#[test]
fn a_file_that_is_not_toml_is_refused_with_its_line_and_nothing_else() {
    let found = problems("[queue]\npermits = = 3\nthreads = 4\n", &[("STALLKEEPER_QUEUE_RECEIVERS", "4")]);
    assert!(found.len() == 1 && found[0].starts_with("config.toml:2: "), "{found:?}");
}

#[test]
fn all_problems_come_at_once() {
    let file =
        "shutdown_grace_secs = 0\ncolour = \"red\"\n[[marketplace]]\nkind = \"gcp\"\nqueue_url = \"stall\"\n";
    let found = problems(file, &[("STALLKEEPER_QUEUE_PERMITS", "1"), ("STALLKEEPER_QUEUE_PERMIT", "600")]);
    for beginning in [
        "config.toml:1: shutdown_grace_secs: ",
        "config.toml:2: colour: ",
        "config.toml:3: marketplace[0].name: missing",
        "config.toml:4: marketplace[0].kind: ",
        "config.toml:5: marketplace[0].queue_url: ",
        "STALLKEEPER_QUEUE_PERMITS: queue.permits: ",
        "STALLKEEPER_QUEUE_PERMIT: no key has this variable",
    ] {
        assert_eq!(
            found.iter().filter(|found| found.starts_with(beginning)).count(),
            1,
            "{beginning}: {found:#?}"
        );
    }
    assert_eq!(found.len(), 7, "{found:#?}");
}

#[test]
fn the_environment_goes_before_the_file() {
    let variables = [
        ("STALLKEEPER_QUEUE_PERMITS", "700"),
        ("STALLKEEPER_LOG_FORMAT", "json"),
        ("STALLKEEPER_MARKETPLACE_0_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/other"),
    ];
    let config = parse(&format!("queue.permits = 600\n{STALL}"), &variables).unwrap();
    assert_eq!(config.queue.permits, 700);
    assert_eq!(config.log.format, Some(LogFormat::Json));
    assert_eq!(config.marketplaces[0].queue_url.as_ref().unwrap().name(), "other");
}

#[test]
fn a_whole_stall_can_be_said_by_the_environment() {
    let prefix = "arn:aws:sns:us-east-1:287250355862:aws-mp";
    let topics = format!("{prefix}-subscription-notification-prod1, {prefix}-entitlement-notification-prod1");
    let variables = [
        ("STALLKEEPER_DATABASE_URL", "sqlite:///tmp/stall.db"),
        ("STALLKEEPER_MARKETPLACE_0_NAME", "aws"),
        ("STALLKEEPER_MARKETPLACE_0_KIND", "aws"),
        ("STALLKEEPER_MARKETPLACE_0_QUEUE_URL", "http://127.0.0.1:5000/123456789012/stall"),
        ("STALLKEEPER_MARKETPLACE_0_TOPIC_ARNS", &topics),
        ("STALLKEEPER_MARKETPLACE_0_ENDPOINT_URL_SQS", "http://127.0.0.1:5000"),
        ("STALLKEEPER_PRODUCT_0_KEY", "search"),
        ("STALLKEEPER_PRODUCT_0_LISTING_0_MARKETPLACE", "aws"),
        ("STALLKEEPER_PRODUCT_0_LISTING_0_CODE", "prod1"),
        ("STALLKEEPER_PRODUCT_0_DIMENSION_0_NAME", "requests"),
        ("STALLKEEPER_PRODUCT_0_DIMENSION_0_API_NAMES", "aws=Requests"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::parse(None, variables).unwrap();
    assert_eq!(config.marketplaces[0].topic_arns.len(), 2);
    assert_eq!(config.marketplaces[0].endpoints.sqs.as_deref(), Some("http://127.0.0.1:5000/"));
    assert_eq!(config.products[0].dimensions[0].api_name(&"aws".parse().unwrap()).as_str(), "Requests");
}

#[test]
fn an_unknown_variable_is_refused_but_for_those_that_are_no_keys() {
    assert_eq!(problems("", &[("STALLKEEPER_COLOUR", "red")]).len(), 1);
    assert_eq!(problems("", &[("STALLKEEPER_MARKETPLACE", "aws")]).len(), 1);
    let foreign = [("STALLKEEPER_CONFIG", "x"), ("STALLKEEPER_TEST_POSTGRES", "x"), ("PATH", "x")];
    assert!(parse("", &foreign).is_ok());
}

#[test]
fn what_kubernetes_sets_beside_a_service_of_that_name_is_left_alone() {
    let links = [
        ("STALLKEEPER_SERVICE_HOST", "10.0.0.1"),
        ("STALLKEEPER_SERVICE_PORT", "9090"),
        ("STALLKEEPER_SERVICE_PORT_INTERNAL", "9090"),
        ("STALLKEEPER_PORT", "tcp://10.0.0.1:9090"),
        ("STALLKEEPER_PORT_9090_TCP", "tcp://10.0.0.1:9090"),
        ("STALLKEEPER_PORT_9090_TCP_ADDR", "10.0.0.1"),
    ];
    assert!(parse("", &links).is_ok());
    assert_eq!(problems("", &[("STALLKEEPER_PORTS", "9090"), ("STALLKEEPER_SERVICE", "x")]).len(), 2);
}

#[test]
fn a_password_for_the_certificates_is_refused_and_not_repeated() {
    let words = problem("signature.certificate_base_url = \"https://stall:hunter2@mirror.example.com\"\n");
    assert!(words.starts_with("config.toml:1: signature.certificate_base_url: "), "{words}");
    assert!(!words.contains("hunter2"), "{words}");
    for url in ["https://stall@mirror.example.com", "https://:hunter2@mirror.example.com"] {
        assert_eq!(problems("", &[("STALLKEEPER_SIGNATURE_CERTIFICATE_BASE_URL", url)]).len(), 1, "{url}");
    }
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    assert_eq!(
        parse("queue.permits = 600\n", &[("STALLKEEPER_QUEUE_PERMITS", "")]).unwrap().queue.permits,
        600
    );
}

#[test]
fn a_database_url_is_secret_even_where_it_is_refused() {
    let config = parse("", &[("STALLKEEPER_DATABASE_URL", "postgres://stall:hunter2@db/stall")]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(config.required_database_url().unwrap().expose_secret().contains("hunter2"));
    let found = problems("", &[("STALLKEEPER_DATABASE_URL", "mysql://stall:hunter2@db/stall")]);
    assert_eq!(
        found,
        ["STALLKEEPER_DATABASE_URL: database_url: expected a URL that begins with sqlite:// or postgres://"]
    );
}

#[test]
fn a_command_that_needs_a_database_says_how_to_set_it() {
    let words = Config::parse(None, []).unwrap().required_database_url().unwrap_err().to_string();
    assert!(
        words.starts_with("database_url is not set: set STALLKEEPER_DATABASE_URL to sqlite://"),
        "{words}"
    );
}

#[test]
fn notifications_are_remembered_for_longer_than_the_queue_keeps_them() {
    assert!(problem("inbox_retention_days = 14\n").contains("from 15 to 365"));
}

#[test]
fn fewer_permits_than_two_commits_take_are_refused() {
    assert!(problem("queue.permits = 511\n").contains("from 512 to 20000"));
}

#[test]
fn a_message_has_to_stay_hidden_for_two_waits() {
    let words = problem("[queue]\nvisibility_secs = 39\n");
    assert_eq!(words, "config.toml:2: queue.visibility_secs: expected at least twice queue.wait_secs");
}

#[test]
fn two_marketplaces_have_neither_one_name_nor_one_queue() {
    let twice = format!("{STALL}\n{}", STALL.split("[[product]]").next().unwrap());
    let found = problems(&twice, &[]);
    assert_eq!(found[0], "config.toml:19: marketplace[1].name: `aws` is taken by marketplace[0].name");
    assert!(found[1].starts_with("config.toml:21: marketplace[1].queue_url: "), "{found:#?}");
    assert_eq!(found.len(), 2);
}

#[test]
fn one_queue_in_two_spellings_is_one_queue() {
    let host = "sqs.eu-west-1.amazonaws.com";
    for other in ["sqs.eu-west-1.amazonaws.com:443", "SQS.eu-west-1.amazonaws.com"] {
        let second = STALL.split("[[product]]").next().unwrap();
        let second = second.replace(host, other).replace("name = \"aws\"", "name = \"other\"");
        let found = problems(&format!("{STALL}\n{second}"), &[]).join("\n");
        assert!(found.contains("/123456789012/stall` is taken by marketplace[0].queue_url"), "{found}");
    }
}

#[test]
fn a_listing_on_a_marketplace_that_is_not_there_is_refused() {
    let words = problems(&stall("marketplace = \"aws\"", "marketplace = \"ali\""), &[]);
    let expected = "config.toml:12: product[0].listing[0].marketplace: no [[marketplace]] has the name `ali`";
    assert!(words.contains(&expected.to_owned()), "{words:#?}");
}

#[test]
fn two_products_cannot_share_a_listing() {
    let more =
        "\n[[product]]\nkey = \"other\"\n[[product.listing]]\nmarketplace = \"aws\"\ncode = \"prod1\"\n";
    let words = problem(&format!("{STALL}{more}"));
    assert!(
        words.ends_with("product[1].listing[0].code: this listing is already that of the product `search`"),
        "{words}"
    );
}

#[test]
fn a_topic_of_a_product_that_is_not_listed_is_refused() {
    let words = problem(&stall("code = \"prod1\"", "code = \"prod2\""));
    assert!(
        words.starts_with("config.toml:6: marketplace[0].topic_arns[0]: is about the product code prod1"),
        "{words}"
    );
}

#[test]
fn a_topic_of_another_name_is_that_of_the_only_listing() {
    let config = parse(&stall("aws-mp-subscription-notification-prod1", "my-forwarded-topic"), &[]).unwrap();
    let feed = config.marketplaces[0].feed(&config).unwrap();
    assert_eq!(feed.topics().next().unwrap().product().as_str(), "prod1");
}

#[test]
fn a_topic_of_another_name_is_refused_where_several_listings_could_be_meant() {
    let more = "[[product.listing]]\nmarketplace = \"aws\"\ncode = \"prod2\"\n";
    let file = stall("aws-mp-subscription-notification-prod1", "my-forwarded-topic");
    assert!(problem(&format!("{file}{more}")).contains("does not say its product"));
}

#[test]
fn what_lies_in_another_partition_than_the_marketplace_is_refused() {
    let found = problems(
        &stall("kind = \"aws\"", "kind = \"aws-china\"\nrole_arn = \"arn:aws:iam::123456789012:role/x\""),
        &[],
    );
    for key in ["queue_url: lies in the AWS partition `aws`", "role_arn: lies", "topic_arns[0]: lies"] {
        assert!(
            found.iter().any(|found| found.contains(&format!("marketplace[0].{key}"))),
            "{key}: {found:#?}"
        );
    }
    assert_eq!(found.len(), 3, "{found:#?}");
}

#[test]
fn raw_delivery_goes_with_one_topic_only_and_never_with_enforced_signatures() {
    let raw = stall("kind = \"aws\"", "kind = \"aws\"\nraw_delivery = true");
    assert_eq!(parse(&raw, &[]).unwrap().marketplaces[0].delivery, Delivery::Raw);
    let enforced = problems(&raw, &[("STALLKEEPER_SIGNATURE_POLICY", "enforce")]);
    assert!(
        enforced[0].starts_with("config.toml:5: marketplace[0].raw_delivery: raw delivery strips"),
        "{enforced:?}"
    );
    let two = raw.replace("topic_arns = [", "topic_arns = [\"arn:aws:sns:us-east-1:287250355862:second\", ");
    assert!(problem(&two).contains("marketplace[0].raw_delivery: raw delivery needs exactly one topic"));
}

#[test]
fn a_queue_that_nothing_sends_to_is_refused() {
    let words = problem(&STALL.replace(
        "topic_arns = [\"arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1\"]",
        "",
    ));
    assert!(words.contains("marketplace[0].topic_arns: the queue has neither topics nor events"), "{words}");
}

#[test]
fn events_are_about_the_rules_own_account_unless_another_is_said() {
    let rule = "[marketplace.eventbridge]\nrule_arn = \"arn:aws:events:us-east-1:111111111111:rule/stall\"\n";
    let file = stall("\n[[product]]", &format!("\n{rule}\n[[product]]"));
    assert_eq!(
        parse(&file, &[]).unwrap().marketplaces[0].eventbridge.as_ref().unwrap().account,
        "111111111111"
    );
    let words = problems(&file, &[("STALLKEEPER_MARKETPLACE_0_EVENTBRIDGE_ACCOUNT", "me")]);
    assert!(words[0].starts_with("STALLKEEPER_MARKETPLACE_0_EVENTBRIDGE_ACCOUNT: "), "{words:?}");
}

#[test]
fn credentials_come_from_one_place() {
    let both = stall(
        "kind = \"aws\"",
        "kind = \"aws\"\nprofile = \"a\"\nrole_arn = \"arn:aws:iam::123456789012:role/x\"",
    );
    assert!(problem(&both).contains("marketplace[0].role_arn: goes without profile"));
    let alone = stall("kind = \"aws\"", "kind = \"aws\"\nexternal_id = \"x\"");
    assert!(problem(&alone).contains("marketplace[0].external_id: goes with role_arn"));
}

#[test]
fn alibaba_is_accepted_without_a_queue_and_refused_with_one() {
    let file = "[[marketplace]]\nname = \"ali\"\nkind = \"alibaba-international\"\n";
    let config = parse(file, &[]).unwrap();
    assert!(config.marketplaces[0].queue_url.is_none() && config.marketplaces[0].wanted().is_none());
    let queue = "queue_url = \"https://sqs.us-east-1.amazonaws.com/123456789012/stall\"\n";
    let words = problem(&format!("{file}{queue}"));
    assert!(
        words.starts_with("config.toml:4: marketplace[0].queue_url: ") && words.contains("not polled"),
        "{words}"
    );
}

#[test]
fn an_aws_marketplace_needs_a_queue() {
    let words =
        problem(&stall("queue_url = \"https://sqs.eu-west-1.amazonaws.com/123456789012/stall\"\n", ""));
    assert!(words.contains(
        "marketplace[0].queue_url: missing; it can also be set as STALLKEEPER_MARKETPLACE_0_QUEUE_URL"
    ));
}

#[test]
fn a_dimension_mapped_for_a_marketplace_that_is_not_there_is_refused() {
    let more = "[[product.dimension]]\nname = \"requests\"\napi_names = { ali = \"x\" }\n";
    assert!(
        problem(&format!("{STALL}{more}"))
            .contains("dimension[0].api_names: no [[marketplace]] has the name `ali`")
    );
}

#[test]
fn buyers_never_reach_the_internal_address() {
    let public = "public_listen = \"127.0.0.1:9090\"\npublic_url = \"https://stall.example.com\"\n";
    assert!(problem(public).contains("public_listen: the same as internal_listen"));
}

#[test]
fn buyers_pages_need_an_address_that_buyers_reach() {
    assert!(problem("public_listen = \"0.0.0.0:8080\"\n").contains("public_listen: goes with public_url"));
    for url in ["https://stall.example.com/stall", "https://stall.example.com/?a=b"] {
        assert!(problem(&format!("public_url = \"{url}\"\n")).contains("an address without a path"), "{url}");
    }
    assert!(
        problem("public_url = \"ftp://stall.example.com\"\n").contains("begins with https:// or http://")
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let words = Config::load(Some(std::path::Path::new("/nowhere/config.toml"))).unwrap_err().to_string();
    assert_eq!(words, "the configuration file /nowhere/config.toml cannot be read");
}

#[test]
fn every_configuration_that_is_accepted_suits_the_poller() {
    for file in
        ["queue.wait_secs = 0\nqueue.visibility_secs = 1\n", "queue.permits = 20000\nqueue.receivers = 64\n"]
    {
        assert_eq!(parse(file, &[]).unwrap().queue.poller_config().validate(), Ok(()), "{file}");
    }
}
