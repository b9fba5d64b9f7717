//! What the configuration says about metering, and who may call the API.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail where it stands")]

use std::time::Duration;

use secrecy::ExposeSecret;
use stallkeeper::config::{Config, ConfigError, Metering};
use stallkeeper_ledger::{Aggregate, Hour, LateUsage, MeterTerms, Profile, Stamp, ZeroRecords};
use stallkeeper_persistence::usage::MeterTermsOf;
use stallkeeper_web::{Scope, TokenSecret};

/// A marketplace and a product with one dimension; its lines are counted by the tests.
const STALL: &str = r#"[[marketplace]]
name = "aws"
kind = "aws"
queue_url = "https://sqs.us-east-1.amazonaws.com/123456789012/stall"
topic_arns = ["arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-prod1"]

[[product]]
key = "search"

[[product.listing]]
marketplace = "aws"
code = "prod1"

[[product.dimension]]
name = "requests"
"#;

const CHINA: &str = r#"[[marketplace]]
name = "china"
kind = "aws-china"
queue_url = "https://sqs.cn-northwest-1.amazonaws.com.cn/123456789012/stall"
topic_arns = ["arn:aws-cn:sns:cn-northwest-1:287250355862:aws-mp-subscription-notification-prod2"]
"#;

const TOKEN: &str =
    "[[api_token]]\nname = \"app\"\ntoken = \"0123456789abcdefghij\"\nscopes = [\"usage:write\"]\n";

fn parse(file: &str) -> Result<Config, ConfigError> {
    Config::parse(Some(("config.toml", file)), [])
}

fn problems(file: &str) -> Vec<String> {
    match parse(file) {
        Err(ConfigError::Refused { problems }) => problems,
        other => panic!("not refused: {other:?}"),
    }
}

fn problem(file: &str) -> String {
    let mut problems = problems(file);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

/// The stall with more keys in its marketplace's table, from line 4 on.
fn of_marketplace(keys: &str) -> String {
    STALL.replacen("kind = \"aws\"\n", &format!("kind = \"aws\"\n{keys}\n"), 1)
}

/// The stall with more keys in its product's table, from line 9 on.
fn of_product(keys: &str) -> String {
    STALL.replacen("key = \"search\"\n", &format!("key = \"search\"\n{keys}\n"), 1)
}

/// The stall with more keys in its listing's table, from line 13 on.
fn of_listing(keys: &str) -> String {
    STALL.replacen("code = \"prod1\"\n", &format!("code = \"prod1\"\n{keys}\n"), 1)
}

fn china(keys: &str) -> String {
    let listing = "\n[[product.listing]]\nmarketplace = \"china\"\ncode = \"prod2\"\n";
    format!("{CHINA}{keys}\n{STALL}{listing}")
}

fn metering(config: &Config, marketplace: &str) -> Metering {
    config.marketplace(&marketplace.parse().unwrap()).unwrap().metering.clone().unwrap()
}

fn terms(config: &Config, key: &str) -> Option<MeterTerms> {
    config.meter_terms(&key.parse().unwrap()).map(|terms| (*terms).clone())
}

#[test]
fn a_marketplace_is_metered_by_its_own_rules_where_nothing_is_said() {
    let config = parse(&china("")).unwrap();
    let (aws, china) = (metering(&config, "aws"), metering(&config, "china"));
    assert_eq!((aws.profile, aws.region.as_str(), aws.calls_per_sec), (Profile::AWS, "us-east-1", 10));
    assert_eq!((china.profile, china.region.as_str()), (Profile::AWS_CHINA, "cn-northwest-1"));
}

#[test]
fn every_rule_of_a_marketplace_can_be_said() {
    let keys = "late_usage = \"carry-forward\"\nstamp = \"hour-end\"\nsettle_delay_secs = 600\n\
                age_limit_secs = 7200\nmetering_region = \"us-west-2\"\ncalls_per_sec = 3\n";
    let config = parse(&of_marketplace(keys)).unwrap();
    let profile = Profile {
        stamp: Stamp::HourEnd,
        age_limit: Duration::from_hours(2),
        settle_delay: Duration::from_mins(10),
        late_usage: LateUsage::CarryForward,
    };
    let expected = Metering { profile, region: "us-west-2".parse().unwrap(), calls_per_sec: 3 };
    assert_eq!(metering(&config, "aws"), expected);
    assert_eq!(terms(&config, "aws/prod1/customer/X01").unwrap().profile, profile);
}

#[test]
fn usage_is_reported_to_the_region_of_the_other_calls_unless_another_is_said() {
    let config = parse(&of_marketplace("region = \"us-west-2\"")).unwrap();
    assert_eq!(metering(&config, "aws").region.as_str(), "us-west-2");
}

#[test]
fn usage_is_never_reported_across_partitions() {
    let words = problem(&of_marketplace("metering_region = \"cn-north-1\""));
    assert!(
        words.starts_with("config.toml:4: marketplace[0].metering_region: lies in the AWS partition"),
        "{words}"
    );
}

#[test]
fn china_with_the_hours_start_is_refused_as_its_records_would_be_too_old() {
    let words = problem(&china("stamp = \"hour-start\""));
    let beginning = "config.toml:6: marketplace[0].stamp: a record would be up to 72 minutes old when it is sent, \
                     and the marketplace takes none older than 60 minutes";
    assert!(words.starts_with(beginning), "{words}");
}

#[test]
fn an_hour_that_settles_longer_than_its_records_live_is_refused() {
    let words = problem(&of_marketplace("settle_delay_secs = 82800"));
    assert!(
        words.starts_with("config.toml:4: marketplace[0].settle_delay_secs: a record would be"),
        "{words}"
    );
    let words = problem(&of_marketplace("age_limit_secs = 3600"));
    assert!(words.starts_with("config.toml:4: marketplace[0].age_limit_secs: a record would be"), "{words}");
}

#[test]
fn more_calls_than_the_marketplace_answers_are_refused() {
    for calls in [0, 11] {
        let words = problem(&of_marketplace(&format!("calls_per_sec = {calls}")));
        assert!(words.ends_with("calls_per_sec: expected a whole number from 1 to 10"), "{words}");
    }
}

#[test]
fn alibaba_is_not_metered_yet() {
    let ali = "[[marketplace]]\nname = \"ali\"\nkind = \"alibaba\"\n";
    let listing = "\n[[product.listing]]\nmarketplace = \"ali\"\ncode = \"cmgj1\"\n";
    let config = parse(&format!("{ali}{STALL}{listing}")).unwrap();
    assert_eq!(terms(&config, "ali/cmgj1/instance/1"), None);
    let words = problem(&format!("{ali}stamp = \"hour-end\"\n"));
    assert!(words.starts_with(
        "config.toml:4: marketplace[0].stamp: a marketplace of kind alibaba is not metered yet"
    ));
}

#[test]
fn pay_as_you_go_reports_silence_and_a_contract_with_consumption_does_not() {
    for (keys, zero_records) in [
        ("", ZeroRecords::Send),
        ("pricing = \"contract-with-consumption\"", ZeroRecords::Skip),
        ("zero_records = \"skip\"", ZeroRecords::Skip),
        ("pricing = \"contract-with-consumption\"\nzero_records = \"send\"", ZeroRecords::Send),
    ] {
        let config = parse(&of_listing(keys)).unwrap();
        assert_eq!(terms(&config, "aws/prod1/customer/X01").unwrap().zero_records, zero_records, "{keys}");
    }
}

#[test]
fn a_pure_contract_is_not_metered() {
    let config = parse(&of_listing("pricing = \"contract\"")).unwrap();
    assert_eq!(terms(&config, "aws/prod1/customer/X01"), None);
    assert!(config.metered_products().is_empty() && config.lanes().is_empty());
    let words = problem(&of_listing("pricing = \"contract\"\nzero_records = \"send\""));
    assert!(
        words.starts_with("config.toml:14: product[0].listing[0].zero_records: a listing with pricing"),
        "{words}"
    );
}

#[test]
fn a_product_of_which_nothing_is_counted_is_not_metered() {
    let config = parse(STALL.split("[[product.dimension]]").next().unwrap()).unwrap();
    assert_eq!(terms(&config, "aws/prod1/customer/X01"), None);
}

#[test]
fn a_dimension_goes_by_its_own_name_unless_the_marketplace_has_another() {
    let file = china("").replace(
        "name = \"requests\"\n",
        "name = \"requests\"\nscale = 2\napi_names = { china = \"Requests\" }\n",
    );
    let config = parse(&file).unwrap();
    let name = |key: &str| {
        let terms = terms(&config, key).unwrap();
        let dimension = &terms.dimensions[&"requests".parse().unwrap()];
        (dimension.api_name.to_string(), dimension.scale.places(), dimension.aggregate)
    };
    assert_eq!(name("aws/prod1/customer/X01"), ("requests".to_owned(), 2, Aggregate::Sum));
    assert_eq!(name("china/prod2/customer/X01"), ("Requests".to_owned(), 2, Aggregate::Sum));
}

#[test]
fn two_dimensions_under_one_name_of_the_marketplace_are_refused() {
    let twice =
        format!("{STALL}\n[[product.dimension]]\nname = \"calls\"\napi_names = {{ aws = \"requests\" }}\n");
    assert_eq!(
        problem(&twice),
        "config.toml:19: product[0].dimension[1].api_names: the marketplace `aws` would call both this and `requests` `requests`"
    );
}

#[test]
fn a_dimensions_name_on_a_marketplace_is_checked() {
    let words = problem(&format!("{STALL}api_names = {{ aws = \"\" }}\n"));
    assert!(
        words.contains("dimension[0].api_names.aws: ") && words.contains("1 to 255 characters"),
        "{words}"
    );
}

#[test]
fn a_peak_is_counted_in_whole_units() {
    let words = problem(&format!("{STALL}aggregate = \"max\"\nscale = 2\n"));
    assert!(
        words.starts_with("config.toml:16: product[0].dimension[0].aggregate: `max` goes with scale 0"),
        "{words}"
    );
    assert!(parse(&format!("{STALL}aggregate = \"max\"\n")).is_ok());
}

#[test]
fn metering_begins_with_a_whole_hour() {
    let config = parse(&of_product("meter_from = \"2026-12-01T00:00:00Z\"")).unwrap();
    let first = Hour::of("2026-12-01T00:00:00Z".parse().unwrap());
    assert_eq!(terms(&config, "aws/prod1/customer/X01").unwrap().meter_from, Some(first));
    assert_eq!(
        problem(&of_product("meter_from = \"2026-12-01T00:30:00Z\"")),
        "config.toml:9: product[0].meter_from: not the beginning of an hour; 2026-12-01T00:00:00Z or 2026-12-01T01:00:00Z is"
    );
}

#[test]
fn a_products_sources_and_listings_are_found_by_its_key() {
    let config = parse(&of_product("usage_sources = [\"api\", \"batch\"]")).unwrap();
    let (search, other) = ("search".parse().unwrap(), "other".parse().unwrap());
    assert_eq!(config.sources_of(&search), ["api", "batch"].map(|name| name.parse().unwrap()).into());
    assert_eq!(config.listings_of(&search), [("aws".parse().unwrap(), "prod1".parse().unwrap())]);
    assert_eq!(config.metered_products(), [search]);
    assert!(config.listings_of(&other).is_empty() && config.sources_of(&other).is_empty());
}

#[test]
fn marketplaces_of_one_account_and_region_share_a_lane() {
    let second = STALL.split("[[product]]").next().unwrap();
    let second = second.replace("\"aws\"\nkind", "\"licenses\"\nkind").replace("stall\"", "licenses\"");
    let second = second.replace("prod1", "prod2").replace("topic_arns", "calls_per_sec = 4\ntopic_arns");
    let listing = "\n[[product.listing]]\nmarketplace = \"licenses\"\ncode = \"prod2\"\n";
    let config = parse(&format!("{second}{STALL}{listing}")).unwrap();
    let lanes = config.lanes();
    assert_eq!(lanes.len(), 1, "{lanes:#?}");
    assert_eq!((lanes[0].name.as_str(), lanes[0].calls_per_sec), ("us-east-1/standard", 4));
    assert_eq!(lanes[0].marketplaces, ["licenses", "aws"].map(|name| name.parse().unwrap()));
}

#[test]
fn other_accounts_regions_and_endpoints_have_lanes_of_their_own() {
    for (keys, name) in [
        ("profile = \"seller\"", "us-east-1/profile:seller"),
        (
            "role_arn = \"arn:aws:iam::123456789012:role/x\"",
            "us-east-1/role:arn:aws:iam::123456789012:role/x",
        ),
        ("metering_region = \"us-west-2\"", "us-west-2/standard"),
        ("endpoint_url = { metering = \"http://127.0.0.1:1\" }", "us-east-1/standard at http://127.0.0.1:1/"),
    ] {
        let config =
            parse(&china("").replace("kind = \"aws\"\n", &format!("kind = \"aws\"\n{keys}\n"))).unwrap();
        let names: Vec<String> = config.lanes().into_iter().map(|lane| lane.name).collect();
        assert_eq!(names, ["cn-northwest-1/standard", name]);
    }
}

#[test]
fn a_simulator_takes_usage_too() {
    let config = parse(&format!("simulator_url = \"http://127.0.0.1:4560\"\n{STALL}")).unwrap();
    let lane = &config.lanes()[0];
    assert_eq!(lane.name, "us-east-1/simulated");
    assert_eq!(lane.account.endpoints.metering.as_deref(), Some("http://127.0.0.1:4560/"));
}

#[test]
fn usage_is_kept_for_thirteen_months_at_least() {
    assert_eq!(parse("").unwrap().usage_retention, Duration::from_hours(400 * 24));
    assert!(problem("usage_retention_days = 395\n").contains("from 396 to 3650"));
}

#[test]
fn a_token_opens_the_api_for_its_scopes_and_is_never_shown() {
    let config = parse(TOKEN).unwrap();
    let token = &config.api_tokens[0];
    assert_eq!(token.name, "app");
    assert!(
        matches!(&token.token, TokenSecret::Plain(text) if text.expose_secret() == "0123456789abcdefghij")
    );
    assert_eq!(token.scopes, [Scope::UsageWrite].into());
    assert!(!format!("{config:?}").contains("0123456789abcdefghij"));
    assert!(parse("").unwrap().api_tokens.is_empty());
}

#[test]
fn a_token_can_be_given_by_its_digest_only() {
    let hashed =
        |hex: &str| TOKEN.replace("token = \"0123456789abcdefghij", &format!("token_sha256 = \"{hex}"));
    let digest = "6bc14bdc4517a7a682c6910de2e2946eb8e1ecd04090728fef6d092a7ceb62c5";
    let (plain, by_digest) = (parse(TOKEN).unwrap(), parse(&hashed(digest)).unwrap());
    assert_eq!(plain.api_tokens[0].token.digest(), by_digest.api_tokens[0].token.digest());
    let words = problem(&hashed("hunter2"));
    assert!(
        words.starts_with("config.toml:3: api_token[0].token_sha256: expected a SHA-256 digest"),
        "{words}"
    );
    assert!(!words.contains("hunter2"), "{words}");
    let both = TOKEN.replace("scopes", &format!("token_sha256 = \"{digest}\"\nscopes"));
    assert!(problem(&both).contains("only one of `token` and `token_sha256`"));
}

#[test]
fn a_token_that_can_be_guessed_is_refused_and_not_repeated() {
    for token in ["0123456789abcdefghi", "hunter2 hunter2 hunter2"] {
        let words = problem(&TOKEN.replace("0123456789abcdefghij", token));
        assert!(
            words.starts_with("config.toml:3: api_token[0].token: expected 20 to 512 characters"),
            "{words}"
        );
        assert!(!words.contains(token), "{words}");
    }
}

#[test]
fn a_token_says_what_it_may_do() {
    let words = problem(&TOKEN.replace("usage:write", "usage:all"));
    assert!(
        words.contains(
            "api_token[0].scopes[0]: unknown scope \"usage:all\": expected one of usage:write, usage:read,"
        ),
        "{words}"
    );
    assert!(problem(&TOKEN.replace("\"usage:write\"", "")).contains("api_token[0].scopes: allows nothing"));
}

#[test]
fn two_tokens_have_neither_one_name_nor_one_text() {
    let found = problems(&format!("{TOKEN}{TOKEN}"));
    assert_eq!(found[0], "config.toml:6: api_token[1].name: `app` is taken by api_token[0].name");
    assert_eq!(found[1], "config.toml:7: api_token[1].token: the same as that of `app`");
    assert_eq!(found.len(), 2);
}

#[test]
fn a_token_can_come_from_the_environment() {
    let variables = [
        ("STALLKEEPER_API_TOKEN_0_NAME", "app"),
        ("STALLKEEPER_API_TOKEN_0_TOKEN", "0123456789abcdefghij"),
        ("STALLKEEPER_API_TOKEN_0_SCOPES", "usage:write,usage:read"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(Config::parse(None, variables).unwrap().api_tokens[0].scopes.len(), 2);
}
