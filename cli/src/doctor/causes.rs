//! The table of causes: what is wrong with a refused delivery, and what to do about it.

/// One cause: a row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Cause {
    /// A stable word for scripts.
    pub code: &'static str,
    /// What is wrong, in general; a finding adds what it saw.
    pub explanation: &'static str,
    /// What to do, in general; a finding may know better.
    pub remedy: &'static str,
    /// The explanation in Chinese.
    pub explanation_zh: &'static str,
    /// The remedy in Chinese.
    pub remedy_zh: &'static str,
}

macro_rules! causes {
    ($($name:ident: $code:literal, $explanation:literal, $remedy:literal,
       zh: $explanation_zh:literal, $remedy_zh:literal;)*) => {
        $(
            #[doc = $explanation]
            pub const $name: Cause = Cause {
                code: $code,
                explanation: $explanation,
                remedy: $remedy,
                explanation_zh: $explanation_zh,
                remedy_zh: $remedy_zh,
            };
        )*

        /// Every cause there is.
        pub const ALL: &[Cause] = &[$($name),*];
    };
}

causes! {
    // The credentials.
    SECRET_HAS_WHITESPACE: "secret_has_whitespace",
        "A secret has white space around it that does not belong to it, such as the line feed that an editor or `echo` adds.",
        "Store it again without the white space (`printf %s`, not `echo`).",
        zh: "secret 前后有不属于它的空白字符，例如编辑器或 `echo` 添加的换行符。",
        "去掉空白字符后重新保存（用 `printf %s`，不要用 `echo`）。";
    SECRET_HAS_QUOTES: "secret_has_quotes",
        "A secret has quotes around it that do not belong to it.",
        "Store it again without the quotes.",
        zh: "secret 前后有不属于它的引号。",
        "去掉引号后重新保存。";
    SECRET_MISMATCH: "secret_mismatch",
        "The secret is not the one that the platform signed with, or the body was changed on the way in a manner that doctor does not know.",
        "Copy the secret from the platform's dashboard once more, or set a new one there and in the credentials. If it is surely the same, compare the body with the one that the platform shows.",
        zh: "secret 不是平台签名时所用的那一个，或者请求体在途中以 doctor 不认识的方式被改动。",
        "从平台后台重新复制 secret，或者在平台和凭证中都换成一个新的。如果确定两边一致，请把请求体与平台上显示的进行对比。";
    SECRET_ENCODING: "secret_encoding",
        "The secret is the right one, but it is read in another encoding than the platform's.",
        "Set the entry's `secret_encoding`.",
        zh: "secret 是对的，但读取时所用的编码与平台不同。",
        "设置条目的 `secret_encoding`。";
    TOKEN_MISMATCH: "token_mismatch",
        "The token is not the one that the platform signed with.",
        "Copy token and `aes_key` together from the same page of the console: a refresh there renews both.",
        zh: "token 不是平台签名时所用的那一个。",
        "从后台的同一个页面同时复制 token 和 `aes_key`：在那里刷新一次，两者都会更换。";
    TOKEN_AES_KEY_SWAPPED: "token_aes_key_swapped",
        "The token stands where the `aes_key` should, and the other way round.",
        "Swap the two.",
        zh: "token 与 `aes_key` 填反了。",
        "把两者对调。";
    AES_KEY_LENGTH: "aes_key_length",
        "The `aes_key` is not 43 letters and digits.",
        "Copy the EncodingAESKey from the console once more: 43 characters, without the `=` that a base64 text may end in.",
        zh: "`aes_key` 不是 43 个字母和数字。",
        "从后台重新复制加密 aes_key（EncodingAESKey）：共 43 个字符，不含 base64 文本末尾可能有的 `=`。";
    AES_KEY_MISMATCH: "aes_key_mismatch",
        "The token is right and the `aes_key` is not: it is another app's, or of another refresh of the console.",
        "Copy token and `aes_key` together from the same page of the console: a refresh there renews both.",
        zh: "token 是对的，`aes_key` 不对：它属于另一个应用，或者是后台另一次刷新所生成的。",
        "从后台的同一个页面同时复制 token 和 `aes_key`：在那里刷新一次，两者都会更换。";
    OWNER_KEY_MISMATCH: "owner_key_mismatch",
        "Token and `aes_key` are right, but the message is for another owner than the entry names.",
        "Set the entry's `owner_key` to the one that the message carries, or a list with both.",
        zh: "token 和 `aes_key` 是对的，但消息属于另一个 owner，而不是条目所指的那一个。",
        "把条目的 `owner_key` 设为消息中所带的那一个，或设为包含两者的列表。";
    PSK_LENGTH: "psk_length",
        "A pre-shared key is not base64url of 16 bytes.",
        "Make a new one of 16 bytes, and enter its 22 characters of base64url in the credentials and in the platform's webhook settings.",
        zh: "预共享密钥不是 16 字节的 base64url。",
        "重新生成一个 16 字节的密钥，把它的 base64url（22 个字符）填到凭证和平台的 webhook 设置中。";
    PSK_ENCODING: "psk_encoding",
        "A pre-shared key is the right one, but not written as base64url.",
        "Write it as base64url of its 16 bytes: 22 characters.",
        zh: "预共享密钥是对的，但没有写成 base64url。",
        "把它的 16 个字节写成 base64url：22 个字符。";
    PSK_SWAPPED: "psk_swapped",
        "A kid stands where its key should, and the other way round.",
        "Write `\"keys\": {\"<kid>\": \"<key>\"}`.",
        zh: "kid 与其密钥填反了。",
        "写成 `\"keys\": {\"<kid>\": \"<key>\"}`。";
    CREDENTIALS_INVALID: "credentials_invalid",
        "The function does not start with these credentials.",
        "Fix the field that the explanation names; docs/reference/credentials.md lists all fields.",
        zh: "使用这份凭证，函数无法启动。",
        "请修正说明中指出的字段；全部字段见 docs/reference/credentials.zh-CN.md。";
    CREDENTIALS_MISSING: "credentials_missing",
        "The credentials have nothing for this provider.",
        "Add the provider's object to the file of --credentials, or correct the URL in the platform's dashboard.",
        zh: "凭证中没有该 provider 的内容。",
        "在 --credentials 的文件中加上该 provider 的对象，或者在平台后台更正 URL。";

    // The route.
    UNKNOWN_SOURCE: "unknown_source",
        "The URL names a source that the credentials do not have.",
        "Correct the URL in the platform's dashboard, or add the source to the credentials.",
        zh: "URL 所指的来源在凭证中不存在。",
        "在平台后台更正 URL，或者在凭证中加上该来源。";
    WRONG_SOURCE: "wrong_source",
        "The keys of this source do not open the delivery, but those of another source do.",
        "Put the other source's URL into the platform's dashboard, or move the keys to this source.",
        zh: "该来源的密钥解不开这次投递，另一个来源的密钥却可以。",
        "在平台后台改填另一个来源的 URL，或者把密钥移到该来源下。";
    WRONG_PROVIDER: "wrong_provider",
        "The delivery comes from another provider than its URL says.",
        "Correct the provider in the URL in the platform's dashboard.",
        zh: "投递来自另一个 provider，而不是 URL 所指的那一个。",
        "在平台后台更正 URL 中的 provider。";
    WRONG_METHOD: "wrong_method",
        "The request is not a POST.",
        "Register the final URL: a redirect turns POST into GET, and so does a look with the browser.",
        zh: "请求不是 POST。",
        "登记最终的 URL：重定向会把 POST 变成 GET，用浏览器打开时发出的也是 GET。";
    URL_CHANGED: "url_changed",
        "The signature covers the URL, and the platform knows this webhook under another one.",
        "Set the entry's `url` to the URL as it stands in the platform's dashboard.",
        zh: "签名涵盖 URL，而平台上登记的这个 webhook 的 URL 与实际调用的不同。",
        "把条目的 `url` 设为平台后台中所填的 URL。";
    QUERY_CHANGED: "query_changed",
        "The query was changed on the way.",
        "Let the proxy hand on the query as it is, neither decoded nor added to.",
        zh: "查询字符串在途中被改动。",
        "让代理原样转发查询字符串，既不解码，也不添加内容。";
    PARAMETER_MISSING: "parameter_missing",
        "A part of the request that the protocol needs is not there.",
        "Let the proxy hand on the whole query and all headers.",
        zh: "请求中缺少协议所需的部分。",
        "让代理转发完整的查询字符串和全部请求头。";
    PARAMETER_MALFORMED: "parameter_malformed",
        "A part of the request has another form than the protocol's.",
        "Look at what stands between the platform and the function: it must hand on the request as it is.",
        zh: "请求中某一部分的格式与协议不符。",
        "检查平台与函数之间的各个环节：它们必须原样转发请求。";

    // The body.
    BODY_CHANGED: "body_changed",
        "The body was changed on the way: the signature is right for what was sent, not for what came.",
        "Hand the function the raw body, before any framework or proxy parses it.",
        zh: "请求体在途中被改动：签名与发出的内容相符，与收到的内容不符。",
        "把原始请求体交给函数，不要让任何框架或代理先行解析。";
    BODY_IS_DECODED_FORM: "body_is_decoded_form",
        "The platform sent a form, and something on the way decoded it.",
        "Hand the function the raw body, or set the webhook's content type to JSON.",
        zh: "平台发送的是表单，途中有环节将其解码。",
        "把原始请求体交给函数，或者把 webhook 的 content type 设为 JSON。";
    BODY_IS_BASE64: "body_is_base64",
        "The body is still in the base64 that a gateway or proxy put it in.",
        "Decode it, or set `isBase64Encoded` to true in the event.",
        zh: "请求体仍是网关或代理编码成的 base64。",
        "先解码，或者在事件中把 `isBase64Encoded` 设为 true。";
    BODY_EMPTY: "body_empty",
        "The body is empty.",
        "Look for a redirect, or for a middleware that reads the body before it hands the request on.",
        zh: "请求体为空。",
        "检查是否有重定向，或者有中间件在转交请求之前就读取了请求体。";
    BODY_MALFORMED: "body_malformed",
        "The body has another form than the protocol's.",
        "Send what the platform sends, byte for byte.",
        zh: "请求体的格式与协议不符。",
        "发送的内容须与平台所发送的逐字节相同。";
    PAYLOAD_INVALID: "payload_invalid",
        "The signature is right, but what it vouches for is no event of this provider.",
        "Look at what the sender puts into the body, and at what the entry says about where to find it.",
        zh: "签名正确，但所签的内容不是该 provider 的事件。",
        "检查发送方在请求体中放了什么，以及条目所写的各项内容的位置。";
    EVENT_TYPE_NOT_ACCEPTED: "event_type_not_accepted",
        "The signature is right, but the entry's `accept` does not name this event type.",
        "Add the type to `accept`, or turn it off at the platform.",
        zh: "签名正确，但条目的 `accept` 中没有该事件类型。",
        "在 `accept` 中加上该类型，或者在平台上关闭该类型。";
    TOO_LARGE: "too_large",
        "The body, or the event made of it, is too large.",
        "Send less. For an event that is too large for a queue set OVERSIZE_BUCKET; a function that has it takes this delivery.",
        zh: "请求体或由它生成的事件过大。",
        "减少发送的内容。如果是事件过大，队列容纳不下，请设置 OVERSIZE_BUCKET；设置后，函数会接受这次投递。";
    ROBOT_MESSAGE: "robot_message",
        "This is a robot's outgoing message, not a pushed event: its signature does not cover the body.",
        "Subscribe to the event push in the console; Letterbox takes no robot messages.",
        zh: "这是机器人的 outgoing 消息，不是推送的事件：它的签名不涵盖请求体。",
        "在后台订阅事件推送；Letterbox 不接收机器人消息。";

    // The signature.
    SIGNATURE_MISSING: "signature_missing",
        "There is no signature.",
        "Set a secret in the platform's dashboard, and let the proxy hand on all headers.",
        zh: "没有签名。",
        "在平台后台设置 secret，并让代理转发全部请求头。";
    SIGNATURE_WRONG_HEADER: "signature_wrong_header",
        "The signature stands in another header than the entry names.",
        "Set the entry's `header`.",
        zh: "签名不在条目所指的请求头中，而在另一个请求头中。",
        "设置条目的 `header`。";
    SIGNATURE_WRONG_ALGORITHM: "signature_wrong_algorithm",
        "The signature is of another algorithm than the one that is asked for.",
        "Let the sender use the algorithm that is asked for, or set the entry's `algorithm`.",
        zh: "签名的算法与所要求的不同。",
        "让发送方使用所要求的算法，或者设置条目的 `algorithm`。";
    SIGNATURE_PREFIX_MISSING: "signature_prefix_missing",
        "The signature's prefix is not the one that the entry names.",
        "Let the sender write the prefix, or set the entry's `prefix`.",
        zh: "签名的前缀不是条目所指的那一个。",
        "让发送方加上该前缀，或者设置条目的 `prefix`。";
    SIGNATURE_ENCODING: "signature_encoding",
        "The signature is written in another encoding than the one that is asked for.",
        "Let the sender write it as asked for, or set the entry's `encoding`.",
        zh: "签名的编码与所要求的不同。",
        "让发送方使用所要求的编码，或者设置条目的 `encoding`。";
    SIGNATURE_MALFORMED: "signature_malformed",
        "The signature header has another form than the one that is asked for.",
        "Let the proxy hand on the header as it is, once and whole; compare it with what the entry says.",
        zh: "签名请求头的格式与所要求的不同。",
        "让代理原样、完整地转发该请求头，且只转发一次；再与条目所写的对照。";
    SIGNED_TEXT: "signed_text",
        "The secret is right, but the platform signs otherwise than the entry says.",
        "Set the entry's `preset`, or describe the scheme in its other members.",
        zh: "secret 是对的，但平台的签名方式与条目所写的不同。",
        "设置条目的 `preset`，或者用条目的其他成员描述签名方式。";

    // The clock.
    TIMESTAMP_STALE: "timestamp_stale",
        "The signature is right, but its timestamp is too far from the time of receipt: an old delivery that was sent again, or a clock that is wrong.",
        "Set the clock by NTP, at the sender too. For a recorded delivery, --now says when it was received.",
        zh: "签名正确，但其时间戳与接收时间相差过大：可能是重新发送的旧投递，也可能是时钟有误。",
        "用 NTP 校准时钟，发送方也要校准。对于录制下来的投递，用 --now 指明接收时间。";
    TIMESTAMP_UNIT: "timestamp_unit",
        "The timestamp is in another unit than the entry says.",
        "Set the entry's `timestamp_unit`: `s` or `ms`.",
        zh: "时间戳的单位与条目所写的不同。",
        "设置条目的 `timestamp_unit`：`s` 或 `ms`。";
    TIMESTAMP_MALFORMED: "timestamp_malformed",
        "The signature is right, but its timestamp is not decimal digits.",
        "Let the sender write Unix seconds or milliseconds.",
        zh: "签名正确，但其时间戳不是十进制数字。",
        "让发送方写 Unix 时间，以秒或毫秒计。";

    // The JWE.
    JWE_MALFORMED: "jwe_malformed",
        "The body is not a compact JWE.",
        "Hand the function the raw body: five base64url segments joined by dots.",
        zh: "请求体不是 compact JWE。",
        "把原始请求体交给函数：以点号连接的五段 base64url。";
    JWE_ALGORITHM: "jwe_algorithm",
        "The JWE's header asks for what OpenCard does not use.",
        "Seal with `alg` A128KW and `enc` A128CBC-HS256, without `zip` and `crit`.",
        zh: "JWE 的 header 要求使用 OpenCard 不采用的算法或参数。",
        "加密时，`alg` 用 A128KW，`enc` 用 A128CBC-HS256，不带 `zip` 和 `crit`。";
    JWE_UNKNOWN_KID: "jwe_unknown_kid",
        "The query names a kid that the source has no key for.",
        "Add the key to `keys` under the kid that the query names.",
        zh: "查询所指的 kid 在该来源中没有密钥。",
        "在 `keys` 中加上该密钥，以查询所指的 kid 为键名。";
    JWE_KEY_MISMATCH: "jwe_key_mismatch",
        "The key under the query's kid is not the one that the query was sealed with.",
        "Enter the same key under this kid in the credentials and in the platform's webhook settings.",
        zh: "查询的 kid 所对应的密钥，不是加密该查询时所用的那一个。",
        "在凭证和平台的 webhook 设置中，为这个 kid 填写同一个密钥。";

    // The answer.
    REPLY_HEADER_NOT_ECHOED: "reply_header_not_echoed",
        "The delivery opens, but the reply's JOSE header is not that of the query.",
        "Answer under the query's own header, member for member, `rid` included.",
        zh: "投递可以解开，但应答的 JOSE header 与查询的不同。",
        "应答时使用查询自身的 header，各成员逐一相同，包括 `rid`。";
    REPLY_REFUSED: "reply_refused",
        "The delivery opens, but the platform would not take the reply.",
        "Send the function's answer as it is: status, body, and nothing around it.",
        zh: "投递可以解开，但平台不会接受该应答。",
        "原样发送函数的应答：状态码和应答体，不附加任何内容。";
}
