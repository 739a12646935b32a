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
        "The secret has leading or trailing whitespace that is not part of it, such as the line feed that an editor or `echo` adds.",
        "Store the secret again without the whitespace (`printf %s`, not `echo`).",
        zh: "secret 前后有不属于它的空白字符，例如编辑器或 `echo` 添加的换行符。",
        "去掉空白字符后重新保存（用 `printf %s`，不要用 `echo`）。";
    SECRET_HAS_QUOTES: "secret_has_quotes",
        "The secret is stored with quotes around it that are not part of it.",
        "Store the secret again without the quotes.",
        zh: "secret 保存时前后多了不属于它的引号。",
        "去掉引号后重新保存。";
    SECRET_HAS_EXTRA_TEXT: "secret_has_extra_text",
        "More than the secret is stored: something was copied along with it, such as the `%` that zsh prints, `Bearer` or `export NAME=`.",
        "Store the secret again without that text.",
        zh: "保存的内容比 secret 多：复制时带上了其他内容，例如 zsh 打印的 `%`、`Bearer` 或 `export NAME=`。",
        "去掉多余的内容后重新保存。";
    SECRET_ALTERED: "secret_altered",
        "The stored secret is an altered copy: some of its characters are written as escapes (of HTML, a URL or JSON), were replaced by characters that look alike, or are missing.",
        "Copy the secret from the platform's console again, as the console shows it, and not from the source of a page, a URL, a mail or a log.",
        zh: "保存的 secret 是被改变的副本：部分字符写成了转义形式（HTML、URL 或 JSON）、被换成外形相似的字符，或者丢失。",
        "从平台后台重新复制页面上显示的 secret，不要从网页源代码、URL、邮件或日志中复制。";
    SECRET_MISMATCH: "secret_mismatch",
        "The signature does not match: the secret is not the one that the platform signed with, or what the signature covers was changed in transit in a way that `doctor` does not recognise.",
        "Copy the secret from the platform's console again, or set a new one there and in the credentials. If both are certainly the same, compare the body with the one that the platform shows.",
        zh: "签名不匹配：secret 不是平台签名时所用的那一个，或者签名涵盖的内容在传输过程中以 `doctor` 无法识别的方式被修改。",
        "从平台后台重新复制 secret，或者在平台和凭证中都换成一个新的。如果确定两边一致，请把请求体与平台上显示的进行对比。";
    PUBLIC_KEY_MISMATCH: "public_key_mismatch",
        "The signature does not match: the `public_key` is not that of the private key that the platform signed with, or the body was changed in transit in a way that `doctor` does not recognise.",
        "Copy the public key from the platform's console or documentation again. If it is certainly the right one, compare the body with the one that the platform shows.",
        zh: "签名不匹配：`public_key` 与平台签名所用的私钥不对应，或者请求体在传输过程中以 `doctor` 无法识别的方式被修改。",
        "从平台后台或文档中重新复制公钥。如果确定公钥正确，请把请求体与平台上显示的进行对比。";
    SECRET_ENCODING: "secret_encoding",
        "The secret matches, but the entry decodes it with a different encoding than the platform does.",
        "Set the entry's `secret_encoding`.",
        zh: "secret 匹配，但条目对它的解码方式与平台不同。",
        "设置条目的 `secret_encoding`。";
    TOKEN_MISMATCH: "token_mismatch",
        "The signature does not match: the token is not the one that the platform signed with, or the signed values were changed in transit.",
        "Copy `token` and `aes_key` together from the same page of the console; a refresh there replaces both.",
        zh: "签名不匹配：token 不是平台签名时所用的那一个，或者被签名的值在传输过程中被修改。",
        "从平台后台的同一个页面同时复制 `token` 和 `aes_key`；在该页面刷新后，两者都会更换。";
    TOKEN_AES_KEY_SWAPPED: "token_aes_key_swapped",
        "The values of `token` and `aes_key` are swapped.",
        "Swap the two values.",
        zh: "`token` 与 `aes_key` 的值填反了。",
        "把两个值对调。";
    AES_KEY_LENGTH: "aes_key_length",
        "The `aes_key` does not consist of 43 letters and digits.",
        "Copy the EncodingAESKey from the console again: 43 characters, without the `=` that base64 may end with.",
        zh: "`aes_key` 不是 43 个字母和数字。",
        "从平台后台重新复制加密 aes_key（EncodingAESKey）：共 43 个字符，不含 base64 末尾可能有的 `=`。";
    AES_KEY_MISMATCH: "aes_key_mismatch",
        "The token matches, but the `aes_key` does not: it belongs to another app, or the console has replaced it since.",
        "Copy `token` and `aes_key` together from the same page of the console; a refresh there replaces both.",
        zh: "token 匹配，但 `aes_key` 不匹配：它属于另一个应用，或者平台后台此后已经更换了它。",
        "从平台后台的同一个页面同时复制 `token` 和 `aes_key`；在该页面刷新后，两者都会更换。";
    OWNER_KEY_MISMATCH: "owner_key_mismatch",
        "`token` and `aes_key` match, but the encrypted message is for a different owner than the entry's `owner_key`.",
        "Set the entry's `owner_key` to the owner in the encrypted message, or to a list of both.",
        zh: "`token` 和 `aes_key` 匹配，但加密消息的 owner 与条目的 `owner_key` 不同。",
        "把条目的 `owner_key` 设为加密消息中的 owner，或设为包含两者的列表。";
    APP_ID_MISMATCH: "app_id_mismatch",
        "The signature is valid, but the delivery is for a different app than the entry's `app_id`.",
        "Set the entry's `app_id` to that app, or to a list of both; or correct the URL that the other app notifies.",
        zh: "签名有效，但投递所属的应用与条目的 `app_id` 不同。",
        "把条目的 `app_id` 设为该应用，或设为包含两者的列表；也可以更正另一个应用的通知 URL。";
    PSK_LENGTH: "psk_length",
        "A pre-shared key is not 16 bytes in base64url.",
        "Generate a new key of 16 bytes, and enter it as 22 characters of base64url in the credentials and in the platform's webhook settings.",
        zh: "预共享密钥不是 16 字节的 base64url。",
        "重新生成一个 16 字节的密钥，以 base64url（22 个字符）填到凭证和平台的 webhook 设置中。";
    PSK_ENCODING: "psk_encoding",
        "A pre-shared key matches, but it is not encoded as base64url.",
        "Encode the 16 bytes of the key as base64url: 22 characters.",
        zh: "预共享密钥匹配，但没有编码为 base64url。",
        "把密钥的 16 个字节编码为 base64url：22 个字符。";
    PSK_SWAPPED: "psk_swapped",
        "A kid and its key are swapped.",
        "Write `\"keys\": {\"<kid>\": \"<key>\"}`.",
        zh: "kid 与其密钥填反了。",
        "写成 `\"keys\": {\"<kid>\": \"<key>\"}`。";
    KEY_ID_UNKNOWN: "key_id_unknown",
        "The delivery names a public key or certificate that the entry's `keys` does not have.",
        "Download that key or certificate from the platform's console, and add it to `keys` under the id or serial number that the console shows for it. While the platform replaces a certificate or moves to a public key, keep both.",
        zh: "投递指定的公钥或证书不在条目的 `keys` 中。",
        "从平台后台下载该公钥或证书，以平台后台显示的公钥 ID 或证书序列号为键名加到 `keys` 中。平台更换证书或切换到公钥期间，请同时保留两者。";
    RESOURCE_KEY_MISMATCH: "resource_key_mismatch",
        "The signature is valid, but the entry's `api_v3_key` does not decrypt the resource: it is another merchant's, or it was replaced in the console since.",
        "Set a new APIv3 key in the platform's console, and enter it as the entry's `api_v3_key`; while both are in use, give the source a list of two entries.",
        zh: "签名有效，但条目的 `api_v3_key` 无法解密 resource：它属于另一个商户，或者平台后台此后已经更换了它。",
        "在平台后台设置新的 APIv3 密钥，并填入条目的 `api_v3_key`；新旧密钥并用期间，为该来源配置两个条目的列表。";
    CREDENTIALS_INVALID: "credentials_invalid",
        "The function does not start with these credentials.",
        "Fix the field that the explanation names; docs/reference/credentials.md lists all fields.",
        zh: "使用这份凭证，函数无法启动。",
        "请修正说明中指出的字段；全部字段见 docs/reference/credentials.zh-CN.md。";
    CREDENTIALS_MISSING: "credentials_missing",
        "The credentials have no entry for this provider.",
        "Add the provider to the file given by --credentials, or correct the URL in the platform's console.",
        zh: "凭证中没有该 provider 的条目。",
        "在 --credentials 指定的文件中加上该 provider，或者在平台后台更正 URL。";

    // The route.
    UNKNOWN_SOURCE: "unknown_source",
        "The URL names a source that is not in the credentials.",
        "Correct the URL in the platform's console, or add the source to the credentials.",
        zh: "URL 中的来源在凭证中不存在。",
        "在平台后台更正 URL，或者在凭证中加上该来源。";
    WRONG_SOURCE: "wrong_source",
        "The credentials of this source do not verify the delivery, but those of another source do.",
        "Set the other source's URL in the platform's console, or move the credentials to this source.",
        zh: "用该来源的凭证验证这次投递不通过，用另一个来源的凭证则通过。",
        "在平台后台改填另一个来源的 URL，或者把凭证移到该来源下。";
    WRONG_PROVIDER: "wrong_provider",
        "The delivery comes from a different provider than the one in its URL.",
        "Correct the provider in the URL in the platform's console.",
        zh: "投递来自另一个 provider，而不是 URL 中的那一个。",
        "在平台后台更正 URL 中的 provider。";
    WRONG_METHOD: "wrong_method",
        "The request is not a POST.",
        "Register the final URL: a redirect turns POST into GET, and opening the URL in a browser also sends GET.",
        zh: "请求不是 POST。",
        "登记最终的 URL：重定向会把 POST 变成 GET，用浏览器打开时发出的也是 GET。";
    URL_CHANGED: "url_changed",
        "The signature covers the URL, and the URL that the platform signed is not the one that was called.",
        "Set the entry's `url` to the URL exactly as it is configured in the platform's console.",
        zh: "签名涵盖 URL，而平台签名所用的 URL 与实际调用的不同。",
        "把条目的 `url` 设为与平台后台中所填完全相同的 URL。";
    QUERY_CHANGED: "query_changed",
        "The query string was changed in transit.",
        "Configure the proxy to forward the query string unchanged: not decoded, nothing added.",
        zh: "查询字符串在传输过程中被修改。",
        "配置代理，使其原样转发查询字符串：既不解码，也不添加内容。";
    PARAMETER_MISSING: "parameter_missing",
        "The request lacks a parameter or header that the protocol requires.",
        "Configure the proxy to forward the whole query string and all headers.",
        zh: "请求中缺少协议要求的参数或请求头。",
        "配置代理，使其转发完整的查询字符串和全部请求头。";
    PARAMETER_MALFORMED: "parameter_malformed",
        "A parameter or header of the request does not have the form that the protocol requires.",
        "Check every proxy between the platform and the function: each must forward the request unchanged.",
        zh: "请求中某个参数或请求头的格式与协议不符。",
        "检查平台与函数之间的每个代理：都必须原样转发请求。";

    // The body.
    BODY_CHANGED: "body_changed",
        "The body was changed in transit: what was received is not what was sent.",
        "Pass the raw body to the function, before any framework or proxy parses it.",
        zh: "请求体在传输过程中被修改：收到的内容与发出的不同。",
        "把原始请求体交给函数，不要让任何框架或代理先行解析。";
    BODY_IS_DECODED_FORM: "body_is_decoded_form",
        "The platform sent a form, and a proxy or framework decoded it in transit.",
        "Pass the raw body to the function, or set the webhook's content type to JSON.",
        zh: "平台发送的是表单，传输过程中代理或框架将其解码。",
        "把原始请求体交给函数，或者把 webhook 的 content type 设为 JSON。";
    BODY_IS_BASE64: "body_is_base64",
        "The body is still base64, as a gateway or proxy encoded it.",
        "Decode the body, or set `isBase64Encoded` to true in the API Gateway event.",
        zh: "请求体仍是网关或代理编码成的 base64。",
        "先解码请求体，或者在 API Gateway 事件中把 `isBase64Encoded` 设为 true。";
    BODY_IS_COMPRESSED: "body_is_compressed",
        "The body is still compressed, and the signature covers the unpacked body.",
        "Configure the proxy to forward the header `Content-Encoding`, or to unpack the body.",
        zh: "请求体仍处于压缩状态，而签名涵盖的是解压后的请求体。",
        "配置代理，使其转发请求头 `Content-Encoding`，或者先解压请求体。";
    BODY_EMPTY: "body_empty",
        "The body is empty.",
        "Look for a redirect, or for middleware that reads the body before it forwards the request.",
        zh: "请求体为空。",
        "检查是否有重定向，或者有中间件在转发请求之前就读取了请求体。";
    BODY_MALFORMED: "body_malformed",
        "The body does not have the form that the protocol requires.",
        "Send the body exactly as the platform sends it, byte for byte.",
        zh: "请求体的格式与协议不符。",
        "请求体须与平台所发送的逐字节相同。";
    PAYLOAD_INVALID: "payload_invalid",
        "The signature is valid, but the signed content is not an event of this provider.",
        "Check what the sender puts into the body, and where the entry expects to find it.",
        zh: "签名有效，但所签的内容不是该 provider 的事件。",
        "检查发送方在请求体中放了什么，以及条目中配置的读取位置。";
    EVENT_TYPE_NOT_ACCEPTED: "event_type_not_accepted",
        "The signature is valid, but the entry's `accept` does not list this event type.",
        "Add the type to `accept`, or disable it on the platform.",
        zh: "签名有效，但条目的 `accept` 中没有该事件类型。",
        "在 `accept` 中加上该类型，或者在平台上关闭该类型。";
    TOO_LARGE: "too_large",
        "The body, or the event built from it, is too large.",
        "Send less. If the event is too large for the queue, set OVERSIZE_BUCKET; the function then accepts this delivery.",
        zh: "请求体或由它生成的事件过大。",
        "减少发送的内容。如果事件过大，超出队列的限制，请设置 OVERSIZE_BUCKET；设置后，函数会接受这次投递。";
    ROBOT_MESSAGE: "robot_message",
        "This is a robot's outgoing message, not a pushed event; its signature does not cover the body.",
        "Subscribe to event push in the console; Letterbox does not accept robot messages.",
        zh: "这是机器人的 outgoing 消息，不是推送的事件：它的签名不涵盖请求体。",
        "在平台后台订阅事件推送；Letterbox 不接收机器人消息。";

    // The signature.
    SIGNATURE_MISSING: "signature_missing",
        "The request has no signature.",
        "Set a secret in the platform's console, and configure the proxy to forward all headers.",
        zh: "请求中没有签名。",
        "在平台后台设置 secret，并配置代理，使其转发全部请求头。";
    SIGNATURE_WRONG_HEADER: "signature_wrong_header",
        "The signature is in a different header than the one that the entry names.",
        "Set the entry's `header`.",
        zh: "签名不在条目指定的请求头中，而在另一个请求头中。",
        "设置条目的 `header`。";
    SIGNATURE_WRONG_ALGORITHM: "signature_wrong_algorithm",
        "The signature uses a different algorithm than the one that is required.",
        "Configure the sender to use the required algorithm, or set the entry's `algorithm`.",
        zh: "签名所用的算法与要求的不同。",
        "让发送方使用要求的算法，或者设置条目的 `algorithm`。";
    SIGNATURE_PREFIX_MISSING: "signature_prefix_missing",
        "The signature's prefix is not the one that the entry names.",
        "Configure the sender to write the prefix, or set the entry's `prefix`.",
        zh: "签名的前缀不是条目指定的那一个。",
        "让发送方加上该前缀，或者设置条目的 `prefix`。";
    SIGNATURE_ENCODING: "signature_encoding",
        "The signature uses a different encoding than the one that is required.",
        "Configure the sender to use the required encoding, or set the entry's `encoding`.",
        zh: "签名所用的编码与要求的不同。",
        "让发送方使用要求的编码，或者设置条目的 `encoding`。";
    SIGNATURE_MALFORMED: "signature_malformed",
        "The signature header does not have the required form.",
        "Configure the proxy to forward the header unchanged and exactly once; compare the header with the entry.",
        zh: "签名请求头的格式与要求的不同。",
        "配置代理，使其原样转发该请求头，且只转发一次；再把该请求头与条目对照。";
    SIGNED_TEXT: "signed_text",
        "The secret matches, but the platform's signature scheme is not the one in the entry.",
        "Set the entry's `preset`, or describe the scheme in the entry's other fields.",
        zh: "secret 匹配，但平台的签名方案与条目中的不同。",
        "设置条目的 `preset`，或者用条目的其他字段描述签名方案。";
    RAW_DELIVERY: "raw_delivery",
        "The platform sends the bare message, without the envelope that it signs: raw message delivery is on.",
        "Turn raw message delivery off in the subscription.",
        zh: "平台只发送消息本身，不带签名的外层 JSON：订阅启用了原始消息传输。",
        "在订阅中关闭原始消息传输。";
    TOPIC_MISMATCH: "topic_mismatch",
        "The message is from a topic that is not in the entry's `topic_arn`.",
        "Add the topic to the entry's `topic_arn` if it is yours; if not, somebody else has subscribed your URL to it.",
        zh: "消息来自条目的 `topic_arn` 中没有的主题。",
        "如果是你的主题，把它加到条目的 `topic_arn` 中；如果不是，说明有人让他的主题订阅了你的 URL。";

    // The certificate.
    CERTIFICATE_URL: "certificate_url",
        "The request names a certificate that is not at the platform: somebody else made the request, or it was changed in transit.",
        "Check where the request comes from. Never accept such a certificate.",
        zh: "请求指定的证书不在平台的服务器上：请求由他人伪造，或者在传输过程中被修改。",
        "检查请求的来源。不要接受这样的证书。";
    CERTIFICATE_NEEDED: "certificate_needed",
        "The certificate that verifies the signature is not in the credentials. The function fetches it; `doctor`, `open` and the tests fetch nothing.",
        "To diagnose the signature, download the certificate and add it to the entry's `certificates`, under its URL.",
        zh: "凭证中没有用于验签的证书。函数会自行获取证书；`doctor`、`open` 和测试不会获取任何内容。",
        "要诊断签名，请下载证书，以其 URL 为键名加到条目的 `certificates` 中。";
    CERTIFICATE_INVALID: "certificate_invalid",
        "The certificate is not one of an RSA key, or it is not valid at the time of receipt: it has expired, or a clock is wrong.",
        "Remove an expired certificate from the entry's `certificates`, and check the clock.",
        zh: "证书不是 RSA 密钥的证书，或者在接收时不在有效期内：证书已过期，或时钟有误。",
        "从条目的 `certificates` 中删除过期的证书，并检查时钟。";
    CERTIFICATE_MISMATCH: "certificate_mismatch",
        "The signature is not one of the certificate: the signed fields were changed in transit, somebody else made the request, or another certificate is pinned under this URL.",
        "Pass the raw body to the function. If a certificate is pinned, download it again.",
        zh: "签名与证书不匹配：被签名的字段在传输过程中被修改，请求由他人伪造，或者该 URL 下固定的是另一个证书。",
        "把原始请求体交给函数。如果固定了证书，请重新下载。";

    // The clock.
    TIMESTAMP_STALE: "timestamp_stale",
        "The signature is valid, but its timestamp is too far from the time of receipt: an old delivery was sent again, or a clock is wrong.",
        "Synchronise the clock by NTP, on the sender as well. For a recorded delivery, pass the time of receipt with --now.",
        zh: "签名有效，但其时间戳与接收时间相差过大：可能是重新发送的旧投递，也可能是时钟有误。",
        "用 NTP 校准时钟，发送方也要校准。对于录制的投递，用 --now 指定接收时间。";
    TIMESTAMP_UNIT: "timestamp_unit",
        "The timestamp uses a different unit than the entry's `timestamp_unit`.",
        "Set the entry's `timestamp_unit` to `s` or `ms`.",
        zh: "时间戳的单位与条目的 `timestamp_unit` 不同。",
        "把条目的 `timestamp_unit` 设为 `s` 或 `ms`。";
    TIMESTAMP_MALFORMED: "timestamp_malformed",
        "The signature is valid, but its timestamp is not a decimal number.",
        "Configure the sender to write Unix time in seconds or milliseconds.",
        zh: "签名有效，但其时间戳不是十进制数。",
        "让发送方使用以秒或毫秒为单位的 Unix 时间。";

    // The JWE.
    JWE_MALFORMED: "jwe_malformed",
        "The body is not a compact JWE.",
        "Pass the raw body to the function: five base64url segments joined by dots.",
        zh: "请求体不是 compact JWE。",
        "把原始请求体交给函数：以点号连接的五段 base64url。";
    JWE_ALGORITHM: "jwe_algorithm",
        "The JWE header requests an algorithm or parameter that OpenCard does not use.",
        "Encrypt with `alg` A128KW and `enc` A128CBC-HS256, without `zip` and `crit`.",
        zh: "JWE header 要求使用 OpenCard 不采用的算法或参数。",
        "加密时，`alg` 用 A128KW，`enc` 用 A128CBC-HS256，不带 `zip` 和 `crit`。";
    JWE_UNKNOWN_KID: "jwe_unknown_kid",
        "The query names a kid that the source has no key for.",
        "Add the key to `keys` under the kid that the query names.",
        zh: "该来源中没有查询的 kid 所对应的密钥。",
        "在 `keys` 中加上该密钥，以查询的 kid 为键名。";
    JWE_KEY_MISMATCH: "jwe_key_mismatch",
        "The key with the query's kid is not the one that the query was encrypted with, or the query was changed in transit.",
        "Enter the same key for this kid in the credentials and in the platform's webhook settings.",
        zh: "查询的 kid 所对应的密钥，不是加密该查询时所用的那一个，或者查询在传输过程中被修改。",
        "在凭证和平台的 webhook 设置中，为这个 kid 填写同一个密钥。";

    // The answer.
    REPLY_HEADER_NOT_ECHOED: "reply_header_not_echoed",
        "The delivery is accepted, but the reply's JOSE header differs from the query's.",
        "Encrypt the reply with the query's own JOSE header, with all of its fields, including `rid`.",
        zh: "投递验证通过，但响应的 JOSE header 与查询的不同。",
        "用查询自身的 JOSE header 加密响应，全部字段保持不变，包括 `rid`。";
    REPLY_REFUSED: "reply_refused",
        "The delivery is accepted, but the platform would reject the reply.",
        "Send the function's response unchanged: status and body, nothing added.",
        zh: "投递验证通过，但平台会拒绝该响应。",
        "原样发送函数的响应：状态码和响应体，不附加任何内容。";
}
