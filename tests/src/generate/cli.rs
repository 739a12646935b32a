//! `docs/reference/cli.md`: every command and option, from the program's own help.

use std::collections::BTreeMap;

use clap::{Arg, Command, CommandFactory};
use letterbox::commands::Program;
use letterbox_codec::platform::Bilingual;

use super::{Generated, Language, Page, both, code};

/// The Chinese descriptions, since clap has only one language: of a command by its name; of an argument by its
/// command's name and its own. Without a command's name, a description is for every command that has no other; with that of
/// the command above alone, for every command below that has no other.
#[rustfmt::skip]
const CHINESE: &[(&str, &str)] = &[
    ("serve", "在一个端口上运行所有函数，队列存放在 SQLite 文件中，并有一个显示最近投递的页面"),
    ("send", "模拟平台：对样例签名或加密，发送，并检查响应"),
    ("sign", "把一次投递打印为 curl 命令、API Gateway 事件或原始 HTTP，不发送"),
    ("open", "验证并解密一条消息"),
    ("seal", "加密一条消息"),
    ("events", "列出内嵌队列中的事件，最早的在前"),
    ("doctor", "报告投递被拒绝的原因，或已部署堆栈的问题，以及处理办法"),
    ("gaps", "向 GitHub、Stripe 和钉钉索取其未能投递的事件，并使其送达"),
    ("contacts plan", "显示一次运行将要做什么，不做任何更改"),
    ("contacts apply", "显示计划，询问，然后执行"),
    ("contacts conflicts", "列出企业微信不接受的记录，以及从何时起"),
    ("contacts status", "显示最近的运行、已同步的数量，以及保护机制所停止的内容"),
    ("configure", "选择平台，检查其凭证，存入 Secrets Manager，并写入 samconfig.toml"),
    ("completions", "打印 shell 的补全脚本"),
    ("stack deliveries", "列出归档中的投递，最新的在前，或显示一次投递的全部内容"),
    ("stack replay", "把归档中的投递重新放到队列上：被拒绝的和失败的，或其他的"),
    ("stack redrive", "把死信队列中的消息移回队列"),
    ("stack tail", "从函数的日志中读取，投递一到达就打印"),

    ("PROVIDER", "要模拟的平台"),
    ("SAMPLE", "样例；与 --data 一起使用时为事件的名称，用于平台在载荷之外发送名称的情形"),
    ("--data", "自己的载荷，原样使用；这时 SAMPLE 只用来指定事件的名称"),
    ("--to", "接收方：基础 URL，或某个函数的完整 URL"),
    ("--source", "来源，用于 URL 和凭证；URL 中有来源时取自 URL，否则为 `default`"),
    ("--credentials", "JSON 文件，从 provider 到它的凭证；不给出时使用演示凭证"),
    ("--database", "内嵌队列的 SQLite 文件"),
    ("--profile", "AWS 配置中的 profile；不给出时取自 AWS_PROFILE，再没有则为 `default`"),
    ("--region", "AWS 区域；不给出时取自 AWS_REGION，再没有则取自 profile"),

    ("serve --port", "监听的端口；0 表示选取一个空闲端口"),
    ("serve --listen", "监听的地址"),
    ("serve --credentials", "JSON 文件，从 provider 到它的凭证；只运行其中有的 provider。不给出时使用演示凭证"),
    ("serve --database", "内嵌队列的 SQLite 文件；投递记录在它旁边的 letterbox-deliveries.db 中"),
    ("serve --queue-url", "改用这个 SQS 队列；区域、密钥和端点取自常用的 AWS_* 变量"),
    ("serve --cards", "OpenCard 的卡片目录；不给出时使用内置样例"),
    ("serve --token", "打开页面所需的令牌：至少 16 个字母、数字、-、_、. 或 ~。--listen 不是回环地址时自动生成"),
    ("serve --keep", "投递记录保存多少条"),
    ("serve --keep-days", "保存多少天"),
    ("serve --stack", "不接收投递，而是显示已部署堆栈的归档中的投递"),

    ("send --list", "列出所有 provider 的样例，包括握手"),
    ("send --as-platform", "采用平台的超时时间和重试间隔，直到平台放弃为止"),
    ("send --longest-pause", "把平台的每个重试间隔缩短到至多 SECONDS 秒"),
    ("send --repeat", "发送 N 次投递，每次重新签名，各为一个事件，并打印汇总"),
    ("send --rate", "按此速率开始投递，例如 50/s；不给出时，收到先前的响应后即发送"),
    ("send --at-once", "同时进行的投递的最大数量"),
    ("send --identical", "所有投递都是同一个事件，如同平台的重试：FIFO 队列只接收一次"),

    ("sign --as", "打印的形式：curl 命令、API Gateway 事件或原始 HTTP/1.1"),

    ("open PROVIDER", "消息所属的平台"),
    ("open --data", "消息"),
    ("open --header", "属于该请求体的请求头；可以多次给出"),
    ("open --url", "被调用的 URL，包括查询字符串"),
    ("open --at", "把已签名的时间戳与这个时间比较，而不是当前时间：RFC 3339，或以秒或毫秒计的 Unix 时间"),

    ("seal SAMPLE", "要加密的样例"),
    ("seal --data", "自己的载荷，原样使用"),

    ("events --json", "每行打印一条队列消息（一个 CloudEvents 对象）"),
    ("events --follow", "持续打印新到的事件"),

    ("doctor --delivery", "`letterbox serve` 的页面上的一条投递，以其编号指定；接收时间为它自己的接收时间"),
    ("doctor --database", "用于 --delivery：该服务器的队列的 SQLite 文件"),
    ("doctor --event", "API Gateway 事件，payload format 2.0"),
    ("doctor --curl", "用于 bash 或 Windows cmd 的 curl 命令，即浏览器和抓包工具所复制的那种"),
    ("doctor --har", "HAR（HTTP 存档）"),
    ("doctor --entry", "HAR 中的第几条，从 1 算起；不给出时为 URL 中含有 provider 的唯一一条"),
    ("doctor --url", "被调用的 URL；请求的其余部分由 --method、--header 和 --body 给出"),
    ("doctor --method", "请求方法；不给出时为 POST"),
    ("doctor --header", "请求头；可以多次给出"),
    ("doctor --body", "存放请求体原始字节的文件；不给出时请求体为空"),
    ("doctor --provider", "provider，用于 URL 没有标明时"),
    ("doctor --now", "接收时间：RFC 3339，或以秒或毫秒计的 Unix 时间；不给出时取自页面、事件或 HAR，再没有则为当前时间"),
    ("doctor --reply", "同时检查响应：`curl -i` 的输出、Lambda 的返回结果，或者状态码正确时单独的响应体"),
    ("doctor --json", "打印一个 JSON 对象：opens、provider、source、cause、explanation、remedy；与 --stack 一起使用时为 healthy、stack、region、checks"),
    ("doctor --stack", "检查已部署的堆栈，而不是投递：secret、队列、卡片目录、告警、配额、证书，以及每个来源对探测请求的响应"),
    ("doctor --no-probe", "用于 --stack：不发送探测请求"),
    ("doctor --to", "用于 --stack：函数的基础 URL，用于它与输出不同时，例如本地 AWS"),

    ("gaps --stack", "使用这个已部署堆栈的凭证、状态和队列"),
    ("gaps --credentials", "补漏函数的凭证，JSON 文件；与 --stack 一起使用时代替堆栈的凭证"),
    ("gaps --dry-run", "只说明将要做什么，不做任何更改"),
    ("gaps --since", "查到这个时间为止，不论之前的运行看过什么：RFC 3339，或以秒或毫秒计的 Unix 时间"),
    ("gaps --json", "打印一个 JSON 对象：dry_run，以及每个账户的 found、asked、filled、given_up、open、error、steps"),
    ("gaps --database", "不使用 --stack 时：内嵌队列的 SQLite 文件"),
    ("gaps --state", "不使用 --stack 时：状态的 SQLite 文件"),

    ("contacts --stack", "使用这个已部署堆栈的凭证和状态"),
    ("contacts --credentials", "通讯录同步的凭证，JSON 文件；与 --stack 一起使用时代替堆栈的凭证"),
    ("contacts --state", "不使用 --stack 时：状态的 SQLite 文件"),
    ("contacts --corp", "只处理这个企业，以其在凭证中的名称指定"),
    ("contacts --json", "打印一个 JSON 对象"),
    ("contacts apply --yes", "不再询问"),
    ("contacts apply --approve", "让具有此代码的计划中的停用和删除通过保护机制，仅限这些"),

    ("configure --provider", "要配置的 provider"),
    ("configure --source", "来源：URL 的最后一段"),
    ("configure --preset", "发送方的预设，用于有预设的 provider"),
    ("configure --secret", "存放字段 `secret` 的文件；- 表示标准输入"),
    ("configure --field", "不是密钥的字段；列表中的字符串用逗号分隔"),
    ("configure --field-file", "从文件读取的字段；- 表示标准输入。对象写作 FIELD.NAME"),
    ("configure --field-env", "从环境变量读取的字段。对象写作 FIELD.NAME"),
    ("configure --generate", "由堆栈生成密钥"),
    ("configure --credentials", "存放多个 provider 凭证的 JSON 文件，与 `serve` 的相同；- 表示标准输入"),
    ("configure --off", "关闭某个 provider；它的密钥会保留"),
    ("configure --rotate", "把来源原有的条目保留在新条目之后，直到平台使用新密钥"),
    ("configure --replace", "删除来源原有的条目：用其密钥签名的投递将被拒绝"),
    ("configure --dry-run", "只显示将要更改的内容"),
    ("configure --stack", "堆栈；不给出时取自配置文件，再没有则为 `letterbox`"),
    ("configure --config-file", "SAM CLI 的配置文件；不存在时新建"),
    ("configure --config-env", "配置文件中的环境"),

    ("completions SHELL", "shell 的名称"),

    ("stack --stack", "堆栈的名称"),
    ("stack --since", "接收时间不早于此：RFC 3339、UTC 日期或日期加时刻、Unix 秒数，或距今多久，例如 30m、2h、3d"),
    ("stack --until", "接收时间早于此"),
    ("stack --provider", "属于这个 provider；多个之间用逗号分隔，这些选项都是如此"),
    ("stack --source", "属于这个来源；* 代表任意文本"),
    ("stack --outcome", "结果为：queued、refused、failed 或 unqueued"),
    ("stack --reason", "原因代码为此，与日志中的相同"),
    ("stack --type", "事件类型为此，例如 github.push；* 代表任意文本"),
    ("stack --text", "URL、请求头、请求体或事件中有此文本"),
    ("stack --yes", "不再询问"),
    ("stack deliveries --id", "显示此 id 的投递，或事件为此 id 的投递的全部内容"),
    ("stack deliveries --limit", "列出这么多次投递后结束"),
    ("stack deliveries --json", "每行打印一条归档记录（JSON）；单次投递附诊断"),
    ("stack replay --id", "此 id 的投递，或事件为此 id 的投递，不论结果如何"),
    ("stack replay --dry-run", "只打印计划，不做任何事"),
    ("stack replay --rate", "每秒的投递数，例如 50 或 0.5"),
    ("stack replay --at-once", "同时进行的投递的最大数量"),
    ("stack replay --journal", "日志文件（journal）；不给出时位于当前目录，以时间命名"),
    ("stack replay --resume", "继续此日志文件所记录的重放；其中有筛选条件"),
    ("stack replay --json", "把计划、每次投递和汇总打印为 JSON，各占一行"),
    ("stack redrive --dry-run", "只打印消息的数量，不做任何事"),
    ("stack redrive --rate", "每秒的消息数；由 SQS 的任务移动时最多 500"),
    ("stack redrive --by-hand", "即使 SQS 可以移动，也由本程序移动消息"),
    ("stack redrive --json", "把计划和汇总打印为 JSON，各占一行"),
    ("stack tail --since", "从此时间的投递开始；不给出时从现在开始"),
    ("stack tail --json", "按原样打印每条日志：一个 JSON 对象"),
];

/// A command or an argument, in English and Chinese.
struct Described {
    /// As it is typed: `--data FILE`.
    usage: String,
    values: Vec<String>,
    text: Bilingual<String>,
}

/// A command and its arguments.
struct Documented {
    /// `letterbox stack replay`
    name: String,
    own: Described,
    arguments: Vec<Described>,
}

/// The page in both languages.
pub fn pages() -> Result<Vec<Generated>, String> {
    let commands = documented(&Program::command(), CHINESE)?;
    both(|language| Ok(page(language, &commands)))
}

/// Every command of the program. The error names missing and unused translations.
fn documented(program: &Command, chinese: &[(&str, &str)]) -> Result<Vec<Documented>, String> {
    let mut translations = Translations::new(chinese);
    let visible = |command: &&Command| !command.is_hide_set();
    let commands = program.get_subcommands().filter(visible).flat_map(|command| {
        let name = command.get_name().to_owned();
        let below = command.get_subcommands().filter(visible);
        let below: Vec<_> = below.map(|below| (format!("{name} {}", below.get_name()), below)).collect();
        if below.is_empty() { vec![(name, command)] } else { below }
    });
    let commands = commands.map(|(name, command)| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let arguments: Vec<_> = command.get_arguments().filter(|argument| !argument.is_hide_set()).collect();
        let positionals = arguments.iter().filter(|argument| argument.is_positional());
        let usage =
            positionals.fold(format!("letterbox {name}"), |usage, argument| usage + " " + &value(argument));
        Documented {
            own: Described { usage, values: Vec::new(), text: translations.text(&[&name], about) },
            arguments: arguments
                .iter()
                .map(|argument| described(&name, argument, &mut translations))
                .collect(),
            name: format!("letterbox {name}"),
        }
    });
    let commands = commands.collect();
    translations.end()?;
    Ok(commands)
}

fn described(command: &str, argument: &Arg, translations: &mut Translations<'_>) -> Described {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let value = value(argument);
    let (id, usage) = match argument.get_long() {
        None => (value.clone(), value),
        Some(long) if argument.get_action().takes_values() => {
            (format!("--{long}"), format!("--{long} {value}"))
        }
        Some(long) => (format!("--{long}"), format!("--{long}")),
    };
    let mut values: Vec<_> =
        argument.get_env().map(|name| name.to_string_lossy().into_owned()).into_iter().collect();
    if argument.get_action().takes_values() {
        let defaults = argument.get_default_values().iter();
        values.extend(defaults.map(|value| value.to_string_lossy().into_owned()));
    }
    let above = command.split(' ').next().unwrap_or_default();
    let mut text = translations.text(&[&format!("{command} {id}"), &format!("{above} {id}"), &id], help);
    let choices = argument.get_possible_values();
    let choices = choices.iter().filter(|choice| !choice.is_hide_set()).map(|choice| code(choice.get_name()));
    let choices: Vec<_> = choices.collect();
    if argument.get_action().takes_values() && !choices.is_empty() {
        text.en += &format!(" ({})", choices.join(", "));
        text.zh += &format!("（{}）", choices.join("、"));
    }
    Described { usage, values, text }
}

/// The name of an argument's value.
fn value(argument: &Arg) -> String {
    let named = argument.get_value_names().and_then(|names| names.first());
    named.map_or_else(|| argument.get_id().as_str().to_uppercase(), ToString::to_string)
}

/// The table of translations, and those that were used.
struct Translations<'a> {
    table: BTreeMap<&'a str, &'a str>,
    /// The English text of each used translation.
    used: BTreeMap<&'a str, String>,
    errors: Vec<String>,
}

impl<'a> Translations<'a> {
    fn new(table: &[(&'a str, &'a str)]) -> Self {
        let mut errors = Vec::new();
        let mut map = BTreeMap::new();
        for (id, chinese) in table {
            if map.insert(*id, *chinese).is_some() {
                errors.push(format!("{id}: translated twice"));
            }
        }
        Self { table: map, used: BTreeMap::new(), errors }
    }

    /// The text in both languages, translated under the first of the ids that is in the table.
    fn text(&mut self, ids: &[&str], en: String) -> Bilingual<String> {
        let found = ids.iter().find_map(|id| self.table.get_key_value(*id));
        let Some((id, chinese)) = found.map(|(id, chinese)| (*id, *chinese)) else {
            self.errors.push(format!("{}: no Chinese description", ids.first().unwrap_or(&"")));
            return Bilingual { en, zh: String::new() };
        };
        let english = self.used.entry(id).or_insert_with(|| en.clone());
        if *english != en {
            self.errors
                .push(format!("{}: other English than {id:?} of other commands", ids.first().unwrap_or(&"")));
        }
        Bilingual { en, zh: chinese.to_owned() }
    }

    fn end(mut self) -> Result<(), String> {
        let unused = self.table.keys().filter(|id| !self.used.contains_key(*id));
        self.errors.extend(unused.map(|id| format!("{id}: a Chinese description of nothing")));
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(format!("correct CHINESE in tests/src/generate/cli.rs: {}", self.errors.join("; ")))
    }
}

fn page(language: Language, commands: &[Documented]) -> Page {
    let mut page = Page::new(
        language,
        "cli",
        Bilingual { en: "Command line", zh: "命令行" },
        Bilingual {
            en: "Every command and option of `letterbox`.\n\
                 `letterbox COMMAND --help` has examples as well; [The program](program.md) explains what the commands do.\n\
                 A file `-` is standard input.\n\
                 \n\
                 Exit codes of every command: 0 success; 1 refused or failed; 2 the command line, or a file that it names, cannot be used.\n\
                 `letterbox send` is successful only if the platform would accept every response, within its timeout.",
            zh: "`letterbox` 的全部命令和选项。\n\
                 示例见 `letterbox COMMAND --help`；各命令的作用见[程序](program.zh-CN.md)。\n\
                 文件名 `-` 为标准输入。\n\
                 \n\
                 所有命令的退出码：0 表示成功；1 表示被拒绝或执行失败；2 表示命令行或其指定的文件无法使用。\n\
                 仅当平台会在其超时时间内接受每个响应时，`letterbox send` 才算成功。",
        },
    );
    let text = |described: &Described| language.choose(&described.text.en, &described.text.zh).clone();
    let rows = commands.iter().map(|Documented { own, .. }| [code(&own.usage), text(own)]);
    page.table([language.choose("command", "命令"), ""], rows);
    for Documented { name, arguments, .. } in commands {
        page.heading(name);
        let rows = arguments.iter().map(|argument| {
            let values: Vec<_> = argument.values.iter().map(|value| code(value)).collect();
            [code(&argument.usage), values.join(language.choose(", else ", "，否则为 ")), text(argument)]
        });
        page.table(language.choose(["argument", "default", "meaning"], ["参数", "默认值", "含义"]), rows);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `letterbox say --loud`
    fn program() -> Command {
        Command::new("letterbox")
            .subcommand(Command::new("say").about("Say").arg(Arg::new("loud").long("loud").help("Loud")))
    }

    #[test]
    fn every_command_and_option_has_one_translation() {
        let error = |chinese: &[(&str, &str)]| documented(&program(), chinese).err().unwrap_or_default();
        assert_eq!(error(&[("say", "说"), ("--loud", "大声")]), "");
        assert_eq!(error(&[("say", "说"), ("say --loud", "大声")]), "");
        for (chinese, expected) in [
            (&[("say", "说")][..], "say --loud: no Chinese description"),
            (&[("--loud", "大声")], "say: no Chinese description"),
            (
                &[("say", "说"), ("--loud", "大声"), ("--low", "小声")],
                "--low: a Chinese description of nothing",
            ),
            (&[("say", "说"), ("--loud", "大声"), ("--loud", "高声")], "--loud: translated twice"),
        ] {
            assert!(error(chinese).ends_with(expected), "{}", error(chinese));
        }
    }

    #[test]
    fn one_translation_stands_for_one_english_text() {
        let program = program()
            .subcommand(Command::new("cry").about("Cry").arg(Arg::new("loud").long("loud").help("Louder")));
        let error = documented(&program, &[("say", "说"), ("cry", "喊"), ("--loud", "大声")])
            .err()
            .unwrap_or_default();
        assert!(error.contains("cry --loud: other English than \"--loud\" of other commands"), "{error}");
    }
}
