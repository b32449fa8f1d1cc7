//! The console's words, in each of its languages.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

/// In which language somebody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Chinese,
}

macro_rules! words {
    ($($name:ident: $english:literal, $chinese:literal;)*) => {
        /// Every text that is the console's own. Names, reasons and codes are the federation's, and stay as they are.
        pub(super) struct Words {
            $(pub(super) $name: &'static str,)*
        }

        static ENGLISH: Words = Words { $($name: $english,)* };
        static CHINESE: Words = Words { $($name: $chinese,)* };

        #[cfg(test)]
        pub(super) const PAIRS: &[(&str, &str)] = &[$(($english, $chinese)),*];
    };
}

words! {
    console: "Landbridge console", "Landbridge 控制台";
    skip: "Skip to the content", "跳到正文";
    menu: "Menu", "导航";
    overview: "Overview", "概览";
    exchanges: "Exchange log", "交换日志";
    agreements: "Agreements", "共享协议";
    subjects: "Subject ledger", "主体查询";
    alarms: "Alarms", "告警";
    explain: "Explain", "解释";
    flow: "Flow and performance", "流量与绩效";
    other_language: "中文", "English";
    sign_in: "Sign in", "登录";
    sign_out: "Sign out", "退出登录";
    signed_in_as: "Signed in as", "当前用户";
    name: "Name", "账号";
    password: "Password", "密码";
    code: "One-time code", "动态验证码";
    code_hint: "Six digits from your authenticator app.", "请输入身份验证器应用中的六位数字。";
    sign_in_by: "Sign in by", "通过以下身份服务登录：";
    not_proven: "The identity provider has not signed you in, or has no role for you here. The gateway's log says why.", "身份服务未能完成登录，或您在此没有角色。原因见网关日志。";
    viewer: "viewer", "查看者";
    auditor: "auditor", "审计员";
    administrator: "administrator", "管理员";
    wrong: "The name, the password or the code is not right.", "账号、密码或验证码不正确。";
    too_often: "Too many tries. Wait a minute; each minute gives one try back.", "尝试次数过多，请稍候一分钟；每过一分钟可再尝试一次。";
    crowded: "Many people are signing in at this moment. Try again in a few seconds.", "当前登录人数过多，请数秒后重试。";
    other_host: "The identity provider sends people back to this address only; begin there:", "身份服务只会返回以下地址，请从该地址登录：";
    from_elsewhere: "This form was not sent by a page of this console. Open the console by localhost or 127.0.0.1, with any port, by a name that `operators.hosts` has, or at the address below, and send it again. Behind a reverse proxy `console.origin` must be what the browser shows before /console.", "该表单并非由本控制台的页面提交。请通过 localhost 或 127.0.0.1（端口不限）、`operators.hosts` 中列出的主机名，或下方地址打开控制台后重新提交。经反向代理访问时，`console.origin` 应与浏览器地址栏中 /console 之前的部分一致。";
    used: "This code was used already. Wait for the next one.", "该验证码已被使用，请等待下一个。";
    busy: "Signing in is not possible now. The gateway's log says why.", "目前无法登录，原因见网关日志。";
    not_yours: "Your role does not open this page.", "您的角色无权打开此页面。";
    not_here: "There is no such page.", "没有这个页面。";
    on_record: "Every page you open is an entry in the journal, under your name.", "您打开的每个页面都以您的账号记入存证日志。";

    department: "Department", "部门";
    departments: "Departments of the federation", "联盟中的部门";
    address: "Address", "地址";
    journal: "Journal", "存证日志";
    entries: "Entries", "条目";
    state: "State", "状态";
    writable: "is written", "正常写入";
    unpublished: "is written, but no checkpoint can be published: soon nothing is answered", "可写入，但检查点无法发布：即将停止应答";
    full: "full: nothing is answered", "已满：不再应答";
    failed: "failed: nothing is answered", "故障：不再应答";
    witnesses: "Witnesses", "见证方";
    witnessed: "confirm the journal", "已确认日志";
    unconfirmed: "have not confirmed it yet", "尚未确认";
    unwitnessed: "do not keep up", "未能跟上";
    published_to: "Published up to", "已发布至";
    witnessed_to: "Witnessed up to", "已见证至";
    indexed_to: "Found by the index up to", "索引已覆盖至";
    of_entries: "entries", "条";
    policy_revision: "Policy revision", "策略修订号";
    in_force: "Agreements in force", "生效协议";
    reads_own: "itself", "本部门";

    certificates: "Certificates and revocation lists", "证书与吊销列表";
    ends: "Ends", "到期时间";
    days_left: "Days left", "剩余天数";
    connected: "Connected now", "当前连接";
    nobody: "Nobody.", "无。";

    search: "Search", "查询";
    time: "Time", "时间";
    side: "Side", "角色";
    who: "Who", "双方";
    what: "What", "内容";
    purpose: "Purpose", "用途";
    agreement: "Agreement", "协议";
    outcome: "Outcome", "结果";
    since: "From", "起始时间";
    until: "Until", "截止时间";
    consumer: "Consumer", "使用方";
    provider: "Provider", "提供方";
    peer: "Either party", "任一方";
    system: "System", "业务系统";
    officer: "Officer", "经办人";
    case_reference: "Case", "案号";
    record_type: "Record type", "记录类型";
    mode: "Mode", "方式";
    field: "Released field", "披露字段";
    reason: "Reason", "原因代码";
    kind: "Kind of entry", "条目类别";
    exchange_id: "Exchange id", "交换编号";
    min_records: "Records, at least", "记录数不少于";
    min_bytes: "Bytes, at least", "字节数不少于";
    min_latency: "Milliseconds, at least", "毫秒数不少于";
    mandate: "Your ground for reading", "查阅依据";
    mandate_hint: "Kept in the journal with each page, e.g. the number of the inspection.", "随每次查阅记入日志，例如检查编号。";
    any: "any", "不限";
    more_fields: "More fields", "更多条件";
    nothing_found: "Nothing fits. Entries whose records were erased are found by time, kind, outcome and exchange id only.", "没有符合条件的条目。记录已清除的条目仅可按时间、类别、结果和交换编号查询。";
    older: "Older entries", "更早的条目";
    newest: "Back to the newest", "回到最新";
    searched_to: "Searched: every entry before number", "已查询编号小于此值的全部条目：";
    erased: "The record was erased when its retention ended; its leaf remains in the tree.", "该记录保存期满已清除，其叶节点仍在树中。";

    entry: "Entry", "条目";
    whole_story: "This exchange in this journal", "本日志中的该次交换";
    other_side: "The other side", "对方";
    other_side_names: "The other gateway's entry that this one names", "本条目所指向的对方条目";
    other_journal: "Journal", "日志";
    other_index: "Entry number", "条目编号";
    other_leaf: "Leaf hash", "叶哈希";
    released: "Released fields", "披露字段";
    masked: "masked", "已脱敏";
    ground: "The agreement", "依据的协议";
    same_as_then: "Its text is exactly what it was then.", "协议文本与当时完全一致。";
    not_recorded: "not recorded", "未记录";
    same_policy: "It was refused by the policy that is in force now. The agreement that the refusal names:", "该请求由现行策略拒绝。拒绝所涉协议：";
    nothing_to_compare: "It was refused, and a refusal rests on no agreement's text: there is nothing to compare. The policy has changed since, or is not on record with it. The agreement that the refusal names, as it is now:", "该请求已被拒绝，拒绝不以协议文本为依据，无从比对；此后策略已有变更，或条目未记录当时的策略。拒绝所涉协议的现行版本：";
    changed_since: "Changed since: its text is not the one that this exchange rested on.", "此后已变更：现有文本并非该次交换所依据的版本。";
    not_in_force: "There is no agreement of that id here now.", "本网关现无此编号的协议。";
    all_of_it: "All that stands in the entry", "条目全部内容";
    proof: "Proof", "证明";
    path: "Path to the signed root", "到签名根的路径";
    leaf: "leaf", "叶";
    root: "root", "根";
    verify_now: "Verify now, in this browser", "在浏览器中立即验证";
    server_says: "The server has verified the leaf under the checkpoint of", "服务器已按此检查点验证，条目数：";
    no_checkpoint: "No checkpoint covers this entry yet. Reload the page in a second.", "尚无检查点覆盖该条目，请稍后刷新。";
    computing: "Hashing from the leaf to the root…", "正在由叶至根计算哈希……";
    proven: "Proven: the record is the one to which the leaf commits, the leaf leads to the root, and the journal's key has signed that root. What this page says of the entry is what the record says.", "验证通过：记录与叶节点的承诺一致，该叶可推导至根，且根由日志密钥签名；本页所示内容与记录一致。";
    proven_leaf: "Proven of the leaf alone: it leads to the root, and the journal's key has signed that root. The record was erased, and nothing can be proven of what it said.", "仅叶节点验证通过：该叶可推导至根，且根由日志密钥签名。记录已清除，其内容无从验证。";
    path_only: "The record is the one to which the leaf commits, and the leaf leads to the root. NOT checked is the signature: this browser cannot check Ed25519 signatures; `landbridge audit verify-proof` can.", "记录与叶节点的承诺一致，且该叶可推导至根，但签名未验证：此浏览器不支持 Ed25519 验签，请使用 `landbridge audit verify-proof`。";
    refuted: "NOT proven: the leaf does not lead to the signed root.", "验证失败：该叶不能推导至已签名的根。";
    unsigned: "NOT proven: the signature is not the journal's.", "验证失败：签名并非日志密钥所签。";
    unbound: "NOT proven: the record is not the one to which the leaf commits.", "验证失败：记录与叶节点的承诺不一致。";
    misread: "NOT proven: this page says otherwise than the record that is proven, of:", "验证失败：本页所示内容与经验证的记录不符，涉及：";
    insecure: "NOT checked: browsers compute hashes only for pages over https or from this machine itself (127.0.0.1, localhost). `landbridge audit verify-proof` checks it anywhere.", "未验证：浏览器仅对 https 页面或本机地址（127.0.0.1、localhost）提供哈希计算。可使用 `landbridge audit verify-proof` 验证。";
    proven_record: "What was proven, read by this browser from the record's bytes", "经验证的内容（由此浏览器从记录字节读出）";
    altered: "The record was altered: it is not the one to which the leaf commits. Do not rely on what it says; `landbridge audit verify` tells more.", "记录已被篡改：与叶节点的承诺不一致，其内容不可采信；详情请使用 `landbridge audit verify` 检查。";
    key_hint: "The journal's key, to be compared with the one you have from elsewhere", "日志公钥（请与您从其他途径获得的公钥比对）";
    download_proof: "Download the proof", "下载证明";
    download_entry: "Download the entry", "下载条目";

    show: "Show", "显示";
    bridges: "Bridges between departments", "部门之间的桥";
    bridges_hint: "From the provider to the consumer: the wider, the more requests; the red part was not answered.", "由提供方至使用方：越宽表示请求越多，红色部分为未应答。";
    over_time: "Over time", "随时间变化";
    highest: "highest bar:", "最高柱：";
    nothing_exchanged: "Nothing was exchanged in this period.", "该时段内没有交换。";
    stopped_at: "There is more than can be counted at once. These figures end at", "数据过多，无法一次统计完毕。以下数字截至";
    erased_exchanges: "Left out are exchanges whose records were erased when their retention ended:", "以下数字不含记录保存期满已清除的交换，次数：";
    none_among_these: "None among those that could be read.", "可读取的条目中没有此类情形。";
    review: "Performance review", "绩效评估";
    review_hint: "By who provides: requests that ended in the period, how they ended, and within how many milliseconds half, 95 and 99 of a hundred did. A provider is counted what it has answered for; beside it stands what the asker's own gateway refused or its client broke off, and what nobody answered.", "按提供方统计：该时段内结束的请求、结果，以及 50%、95%、99% 的请求在多少毫秒内完成。提供方仅计入其已作出应答的请求；使用方网关自行拒绝、使用方系统中断以及未获应答的请求另行列出。";
    csv: "As CSV", "下载 CSV";
    requests: "Requests", "请求";
    by_asker: "ended by the asker", "使用方自行终止";
    unanswered: "without an answer", "未获应答";
    answered: "answered", "已应答";
    denied: "refused", "已拒绝";
    failed_share: "failed", "失败";
    records: "records", "条记录";

    subjects_hint: "Who has received or asked for the data of a person or body. The identifier is not kept: the journal has a tag in its place.", "谁获取或请求过某人或某机构的数据。不保存其标识，日志中仅以标签代替。";
    scheme: "Field that identifies", "标识字段";
    without_key: "Nothing can be said of these months: exchanges are on record, and the month's key is missing. Restore it from its backup:", "以下月份存有交换记录，但缺少当月密钥，无法判断是否涉及该主体，请从备份恢复密钥：";
    erased_months: "Erased when their retention had ended, with all that was on record:", "以下月份的记录保存期满，已全部清除：";
    bulk: "More answers that had records of over 100 people each, so that the entry does not list them all. Whether this person was among them is not on record:", "另有批量交换，每次涉及超过 100 个主体，条目未逐一列出，是否包含该主体没有记录。次数：";
    unattributed: "Answers that this department received without the field that says whose they are. For these, ask the provider, or by the record's key:", "本部门收到的应答中未包含标识主体的字段，无法判断其所属主体；请向提供方查询，或按记录主键查询。次数：";
    identifier: "Identifier", "标识";
    more_than: "There are more; these are the newest", "还有更多，此处为最新的";

    alarms_hint: "Patterns that have innocent causes, and others: look at the evidence. A streak is ten refusals in a row; enumeration is 300 different keys in one hour; unusual is five times the middle day; guessing is 50 values in one day that were looked up or verified in vain; off hours are 22 to 6 o'clock and weekends, for systems that seldom ask then.", "以下情形可能有正当原因，请查看证据。连续拒绝指连续十次被拒；枚举指一小时内请求 300 个不同主键；异常数据量指当日为中位日的五倍；猜测指单日内检索或核验 50 个值而未查得；非工作时间指 22 时至次日 6 时及周末，且该系统通常不在此时请求。";
    no_alarms: "Nothing of the kind in this period.", "该时段内没有此类情形。";
    pattern: "What was noticed", "情形";
    evidence: "Evidence", "证据";
    orphaned: "Exchanges of which the other journal says otherwise", "与对方日志不一致的交换";
    uncompared: "Journals that have not been compared for too long", "日志逾期未对账";
    enumeration: "Different keys in one hour", "一小时内请求的不同主键数";
    refused_streak: "Refusals in a row", "连续被拒次数";
    unusual_volume: "Records in one day, far more than usual", "单日记录数远超平常";
    off_hours: "Answers off hours", "非工作时间的应答";
    guessing: "Values looked up in vain in one day", "单日内未查得的值数";

    policy: "Policy in time", "策略变更";
    propose: "Propose a change", "拟议变更";
    peers: "Peers and witnesses", "对方与见证";
    as_of_then: "Its text as it was in force", "当时生效的文本";
    digest: "Digest", "摘要";
    quotas: "Daily quotas", "每日配额";
    no_quotas: "No grant has a daily quota.", "没有任何授权设置每日配额。";
    quota_of: "Of what", "项目";
    spent_today: "Spent today", "今日已用";
    looked_up_in_vain: "values looked up in vain", "未查得的值";
    daily: "At most", "上限";
    reloads: "Reloads", "策略重载";
    reload: "Reload", "策略重载";
    no_reloads: "The policy has not changed since the journal began.", "自日志建立以来策略未变更。";
    changes: "Changes", "变更内容";
    applied: "applied", "已生效";
    refused: "refused", "被拒绝";
    came: "new", "新增";
    went: "gone", "删除";
    changed: "changed", "修改";
    text_altered: "What is kept here is not the text that was in force: it was changed since.", "此处保存的内容并非当时生效的文本：事后被改动。";
    text_unproven: "An earlier version kept this text, or somebody put it here: nothing on record says that it was in force.", "该文本由早期版本保存或由他人放置：没有记录证明其曾经生效。";
    text_not_kept: "Its text is not kept here.", "此处未保存其文本。";

    propose_hint: "Edit a copy of a policy file here. It is checked as a reload would check it, and put to the questions that the journal has. Nothing is applied: take the patch away, and apply it to the file.", "在此编辑策略文件的副本。系统按重载时的规则检查，并用日志中的历史请求预演。不会生效：请下载补丁并应用到文件。";
    new_agreement: "A new agreement", "新协议";
    new_name: "Name of the new file", "新文件名";
    its_text: "Text", "文本";
    days_back: "Rehearse the last days", "预演最近天数";
    check_and_rehearse: "Check and rehearse", "检查并预演";
    patch: "The change", "变更补丁";
    download_patch: "Take the patch away", "下载补丁";
    nothing_changed: "The text is as it stands in the file.", "文本与文件内容一致。";
    would_be_accepted: "It would be accepted", "检查通过";
    would_be_refused: "It would be refused", "检查未通过";
    access: "What the change does to what is granted", "对授权范围的影响";
    same_access: "Nothing: no agreement and no guardrail would mean anything else than now.", "无影响：各协议与护栏的含义均与现行相同。";
    effect: "Effect", "影响";
    widens: "widens", "扩大";
    narrows: "narrows", "收窄";
    alters: "another: compare", "有变更，请比对";
    place: "Where", "位置";
    key: "Key", "键";
    now: "Now", "现行";
    then: "Then", "变更后";
    rehearsal: "Rehearsal", "预演";
    rehearsed: "Each question of the period was put to both policies as if it were asked now, without its filter, order, key and claims, which the journal does not have. Limits, quotas and the row rules of another department are not rehearsed, nor is what nobody asked for: of these the lines above tell. Exchanges:", "该时段内的每个请求均按当前时间交由两个策略判断；日志中没有过滤条件、排序、主键与核验值，故不予考虑。数量限制、配额、对方部门的行规则以及未曾提出的请求不在预演之列，请以上方逐条说明为准。交换数：";
    unjudged: "Not judged, of record types or departments that are no more:", "未判断（记录类型或部门已不存在）：";
    same_answers: "Of the questions that could be judged, each would be permitted or refused as it is now, with the same fields and masks.", "能够判断的请求，其准许或拒绝的结果及所披露字段与脱敏方式均与现行相同。";
    none_judged: "No question of the period could be judged.", "该时段内没有可以判断的请求。";
    would: "It would be", "结果";
    lost: "refused", "将被拒绝";
    gained: "permitted", "将被允许";
    otherwise: "answered otherwise", "应答将变化";
    last_time: "Last", "最近一次";
    why: "Why", "原因";

    reconciliation: "Reconciliation", "对账";
    reconciliation_hint: "Of the newest two thousand comparisons: what the two journals of each exchange say of it.", "最近两千次对账：双方日志对各次交换的记载是否一致。";
    compared_to: "Compared up to", "已对账至";
    windows: "Windows", "时间窗";
    exchange_count: "Exchanges", "交换数";
    differing: "Differing", "不一致";
    not_compared_since: "Not compared since", "未对账起始时间";
    never_compared: "None of these comparisons is with it.", "上述对账中没有与该部门的对账。";
    no_witnesses: "The settings name no witnesses.", "配置中没有见证方。";
    witness: "Witness", "见证方";
    cosigned_to: "Cosigned up to", "已会签至";
    lag: "Entries behind", "落后条目";
    cosigns: "cosigns", "正常会签";

    corrections_in_time: "Corrections in time", "按期答复的更正";
    open: "open", "未结";
    fresh_as_of: "Fresh as of", "数据截至";
    latency: "Latency within which 95 % ended", "95% 请求的时延";
    each_line: "Each line over time", "各线路随时间变化";
    histogram: "Entries over time. Drag across a part to search in it.", "条目随时间分布，拖动选择时间段。";
    whole_time: "The whole time", "全部时间";
    export: "Export", "导出";
    export_hint: "Entries as a file, which is on record with its hash. A bundle is a tar archive with the proofs, the keys and a way to verify all of it without us.", "将条目导出为文件，文件摘要记入日志。证据包为 tar 归档，含证明、公钥及独立核验方法。";
    format: "Format", "格式";
    take_away: "Take it away", "下载";
    bundle: "Evidence bundle of the exchange", "本次交换的证据包";

    sources: "Sources", "数据源";
    source: "Source", "数据源";
    no_sources: "This department has no records of its own here.", "本部门未在此提供数据。";
    answers: "answers", "正常";
    slow: "has not answered within two seconds", "两秒内未响应";

    last_heard: "Last told what it offers", "最近通报可提供数据";
    guardrails: "Guardrails", "护栏规则";
    guardrails_hint: "What no agreement can permit, as it is in force.", "任何协议都不能逾越的规则（当前生效文本）。";

    explain_hint: "Whether a question would be allowed here, now or then, and what that rests on. Nothing is asked, and no quota is spent.", "判断某个请求在此时或彼时是否会被允许及其依据。不会发出请求，也不消耗配额。";
    fields_asked: "Fields, separated by commas", "字段（以逗号分隔）";
    filter: "Filter, in CEL", "过滤条件（CEL）";
    permitted: "permitted", "允许";
    would_be_denied: "denied:", "拒绝：";
    would_be_released: "What would be released", "将披露的字段";
    considered: "Grants that were considered", "所考虑的授权";
    grant: "Grant", "授权项";
    no_grant: "No grant of this record type to that department.", "没有向该部门授权此记录类型。";

    who_gets_what: "Who may get what", "谁可获取什么";
    matrix: "Record types and departments", "记录类型与部门对照";
    matrix_hint: "What each consumer is granted of each record type. Hold a cell's agreement against its text below.", "各使用方对各记录类型的授权，协议全文见下方。";
    lookup_only: "to look up by", "仅用于检索";
    may: "may", "可";
    get: "get", "按主键获取";
    query: "query", "查询";
    verify: "verify", "核验";
    count: "count", "计数";
    of_department: "of", "来自";
    for_purposes: "for", "用于";
    from_day: "from", "自";
    to_day: "to", "至";
    rows: "Only rows where", "仅限满足以下条件的记录：";
    systems: "Only the systems", "仅限业务系统：";
    limits: "At most", "上限：";
    records_each: "records an exchange", "条记录/次";
    each_second: "exchanges a second", "次交换/秒";
    each_day: "records a day", "条记录/日";
    misses_each_day: "values a day looked up or verified in vain", "个值/日检索或核验未果";
    counts_in_steps: "counts in steps of", "计数取整单位";
    counts_each_day: "different filters of counts a day", "种计数条件/日";
    accountable: "Accountable", "责任单位";
    legal_basis: "Legal basis", "法律依据";
    file: "File", "文件";
    fields: "Fields", "字段";
    ended: "ended", "已到期";
    not_begun: "not begun", "未生效";
}

impl Language {
    /// What the browser asks for, unless somebody has chosen.
    pub(super) fn of(chosen: Option<&str>, headers: &HeaderMap) -> Self {
        let preferred = headers
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok());
        match chosen.or(preferred) {
            Some(language) if language.starts_with("zh") => Self::Chinese,
            _ => Self::English,
        }
    }

    /// As HTML names it.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::English => Self::Chinese,
            Self::Chinese => Self::English,
        }
    }

    pub(super) fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::Chinese => &CHINESE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PAIRS;

    #[test]
    fn no_text_is_missing_in_a_language() {
        for (english, chinese) in PAIRS {
            assert!(
                !english.is_empty() && !chinese.is_empty(),
                "{english}: {chinese}"
            );
            let translated = !chinese.is_ascii() || !english.is_ascii();
            assert!(translated, "{english}: {chinese}");
        }
    }
}
