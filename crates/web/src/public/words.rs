//! All that buyers are told, in both languages.

use stallkeeper_persistence::DetailsError;
use stallkeeper_registration::Stage;

use super::language::Language;

/// What a page says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) title: String,
    pub(super) paragraphs: Vec<String>,
}

/// Whom a page speaks to, and of what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) product: &'a str,
    pub(super) marketplace: &'a str,
    pub(super) account: &'a str,
    pub(super) ready_within: Option<&'a str>,
    /// When the final-usage window closes, as text.
    pub(super) deadline: &'a str,
}

/// Why somebody sees no registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    HowToSubscribe,
    Expired,
    Invalid,
    Foreign,
    NotNow,
    SellersFault,
    AnotherBrowser,
    NoSuchPage,
}

/// The words of forms and links.
pub(super) struct Labels {
    pub(super) company: &'static str,
    pub(super) contact: &'static str,
    pub(super) email: &'static str,
    pub(super) submit: &'static str,
    pub(super) go_on: &'static str,
    pub(super) not_yours: &'static str,
    pub(super) open_app: &'static str,
    pub(super) to_listing: &'static str,
    pub(super) other_language: &'static str,
    pub(super) support: &'static str,
    pub(super) mend: &'static str,
    pub(super) updates_itself: &'static str,
    pub(super) main: &'static str,
}

const ENGLISH: Labels = Labels {
    company: "Company",
    contact: "Your name",
    email: "E-mail",
    submit: "Set up",
    go_on: "Continue to",
    not_yours: "Not your account or product? Close this page: nothing is set up until you go on.",
    open_app: "Open",
    to_listing: "Go to",
    other_language: "中文",
    support: "Questions?",
    mend: "Please correct what is marked.",
    updates_itself: "This page updates itself; you can leave it open.",
    main: "Your registration",
};

const CHINESE: Labels = Labels {
    company: "公司名称",
    contact: "联系人姓名",
    email: "电子邮箱",
    submit: "开通",
    go_on: "继续前往",
    not_yours: "账号或产品不对？请关闭本页面：在您继续之前不会进行任何开通。",
    open_app: "打开",
    to_listing: "前往",
    other_language: "English",
    support: "有疑问？",
    mend: "请更正标出的内容。",
    updates_itself: "本页面会自动更新，您可以保持打开。",
    main: "您的注册",
};

impl Language {
    pub(super) fn labels(self) -> &'static Labels {
        match self {
            Self::English => &ENGLISH,
            Self::Chinese => &CHINESE,
        }
    }

    /// What a buyer is told at a stage.
    pub(super) fn stage(self, stage: Stage, subject: Subject<'_>) -> Text {
        match self {
            Self::English => english(stage, subject),
            Self::Chinese => chinese(stage, subject),
        }
    }

    /// What somebody is told who sees no registration.
    pub(super) fn trouble(self, trouble: Trouble, marketplace: &str) -> Text {
        match self {
            Self::English => english_trouble(trouble, marketplace),
            Self::Chinese => chinese_trouble(trouble, marketplace),
        }
    }

    /// What is wrong with something that a buyer wrote.
    pub(super) fn mistake(self, error: DetailsError) -> &'static str {
        match (self, error) {
            (Self::English, DetailsError::Empty) => "This is needed.",
            (Self::English, DetailsError::TooLong) => "This is too long.",
            (Self::English, DetailsError::Character) => "This has a character that cannot be taken.",
            (Self::English, DetailsError::Address) => "This is not an e-mail address.",
            (Self::Chinese, DetailsError::Empty) => "此项为必填项。",
            (Self::Chinese, DetailsError::TooLong) => "内容过长。",
            (Self::Chinese, DetailsError::Character) => "包含无法接受的字符。",
            (Self::Chinese, DetailsError::Address) => "这不是有效的电子邮箱地址。",
        }
    }
}

fn text(title: String, paragraphs: impl IntoIterator<Item = String>) -> Text {
    Text { title, paragraphs: paragraphs.into_iter().collect() }
}

fn english(stage: Stage, subject: Subject<'_>) -> Text {
    let Subject { product, marketplace, account, ready_within, deadline } = subject;
    match stage {
        Stage::Asked => text(
            format!("Set up {product}"),
            [format!("You are setting up {product} for the {marketplace} account {account}.")],
        ),
        Stage::AwaitingSubscription => text(
            "Waiting for your subscription".to_owned(),
            [format!(
                "{marketplace} has not confirmed your subscription to {product} yet. That takes a minute or two as a \
                 rule."
            )],
        ),
        Stage::AwaitingTenant => {
            let when = ready_within
                .map_or_else(String::new, |within| format!(" It is ready within {within} at the latest."));
            text(
                "Your account is being prepared".to_owned(),
                [format!(
                    "Your subscription to {product} is confirmed, and your account is being prepared.{when}"
                )],
            )
        }
        Stage::Active => text(
            "You are all set".to_owned(),
            [format!("Your subscription to {product} is active for the {marketplace} account {account}.")],
        ),
        Stage::PaymentFailed => text(
            "The payment did not go through".to_owned(),
            [
                format!(
                    "{marketplace} could not take the payment for {product}, so your subscription did not begin."
                ),
                format!("Check the payment method of your {marketplace} account, then subscribe again."),
            ],
        ),
        Stage::Suspended => text(
            "Your subscription is suspended".to_owned(),
            [format!("{marketplace} has suspended your subscription to {product}. Renew it there to go on.")],
        ),
        Stage::Ending(_) => text(
            "Your subscription is ending".to_owned(),
            [format!(
                "What you used of {product} is settled until {deadline} UTC. To go on, subscribe again."
            )],
        ),
        Stage::Ended => text(
            "You are not subscribed".to_owned(),
            [
                format!("Your subscription to {product} has ended."),
                format!("Have you just subscribed again? Then wait until {marketplace} confirms it."),
            ],
        ),
    }
}

fn chinese(stage: Stage, subject: Subject<'_>) -> Text {
    let Subject { product, marketplace, account, ready_within, deadline } = subject;
    match stage {
        Stage::Asked => text(
            format!("开通 {product}"),
            [format!("您正在为 {marketplace} 账号 {account} 开通 {product}。")],
        ),
        Stage::AwaitingSubscription => text(
            "正在等待订阅确认".to_owned(),
            [format!("{marketplace} 尚未确认您对 {product} 的订阅，通常需要一两分钟。")],
        ),
        Stage::AwaitingTenant => {
            let when = ready_within.map_or_else(String::new, |within| format!("最迟在 {within} 内完成。"));
            text(
                "正在准备您的账号".to_owned(),
                [format!("您对 {product} 的订阅已确认，正在为您准备账号。{when}")],
            )
        }
        Stage::Active => {
            text("开通完成".to_owned(), [format!("{marketplace} 账号 {account} 对 {product} 的订阅已生效。")])
        }
        Stage::PaymentFailed => text(
            "付款未成功".to_owned(),
            [
                format!("{marketplace} 未能完成 {product} 的付款，订阅没有开始。"),
                format!("请检查您 {marketplace} 账号的付款方式，然后重新订阅。"),
            ],
        ),
        Stage::Suspended => text(
            "订阅已暂停".to_owned(),
            [format!("{marketplace} 已暂停您对 {product} 的订阅。请在那里续订后继续使用。")],
        ),
        Stage::Ending(_) => text(
            "订阅即将结束".to_owned(),
            [format!("{product} 的用量将结算至 {deadline}（UTC）。如需继续使用，请重新订阅。")],
        ),
        Stage::Ended => text(
            "您没有有效的订阅".to_owned(),
            [
                format!("您对 {product} 的订阅已结束。"),
                format!("如果您刚刚重新订阅，请等待 {marketplace} 确认。"),
            ],
        ),
    }
}

fn english_trouble(trouble: Trouble, marketplace: &str) -> Text {
    let (title, words) = match trouble {
        Trouble::HowToSubscribe => (
            "Set up your account from the marketplace",
            format!(
                "Subscribe on {marketplace} first. Then open your subscription there and choose “Set up your account”."
            ),
        ),
        Trouble::Expired => (
            "This link is over",
            format!(
                "It was good for a few hours. Go back to your subscription on {marketplace} and choose “Set up your \
                 account” again."
            ),
        ),
        Trouble::Invalid => (
            "This link is not known",
            format!("Go back to your subscription on {marketplace} and choose “Set up your account” again."),
        ),
        Trouble::Foreign => (
            "This subscription is for something else",
            "What you subscribed to is not set up here. Please ask the seller.".to_owned(),
        ),
        Trouble::NotNow => (
            "Not now",
            "Your account cannot be set up at this moment. Wait a minute, then reload this page and confirm that the \
             form is sent again."
                .to_owned(),
        ),
        Trouble::SellersFault => (
            "Your account cannot be set up",
            "Nothing is wrong on your side. Please tell the seller, and come back by “Set up your account”."
                .to_owned(),
        ),
        Trouble::AnotherBrowser => (
            "This page is another browser's",
            format!(
                "It is shown only where it was opened, and for a day. Go to your subscription on {marketplace} and \
                 choose “Set up your account” again."
            ),
        ),
        Trouble::NoSuchPage => ("There is no such page", "Check the address.".to_owned()),
    };
    text(title.to_owned(), [words])
}

fn chinese_trouble(trouble: Trouble, marketplace: &str) -> Text {
    let (title, words) = match trouble {
        Trouble::HowToSubscribe => (
            "请从云市场开通您的账号",
            format!("请先在 {marketplace} 订阅，然后在那里打开您的订阅并选择“设置您的账户”。"),
        ),
        Trouble::Expired => (
            "此链接已过期",
            format!("链接仅在数小时内有效。请回到 {marketplace} 上的订阅，再次选择“设置您的账户”。"),
        ),
        Trouble::Invalid => {
            ("无法识别此链接", format!("请回到 {marketplace} 上的订阅，再次选择“设置您的账户”。"))
        }
        Trouble::Foreign => ("此订阅属于其他产品", "您订阅的产品不在此处开通，请联系卖家。".to_owned()),
        Trouble::NotNow => {
            ("暂时无法处理", "目前无法开通您的账号。请稍等一分钟后刷新页面，并确认重新提交表单。".to_owned())
        }
        Trouble::SellersFault => {
            ("无法开通您的账号", "问题不在您这边。请告知卖家，之后再通过“设置您的账户”返回。".to_owned())
        }
        Trouble::AnotherBrowser => (
            "此页面属于其他浏览器",
            format!(
                "页面只在打开它的浏览器中显示，有效期一天。请到 {marketplace} 上的订阅，再次选择“设置您的账户”。"
            ),
        ),
        Trouble::NoSuchPage => ("没有此页面", "请检查地址。".to_owned()),
    };
    text(title.to_owned(), [words])
}
