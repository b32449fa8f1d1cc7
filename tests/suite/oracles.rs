//! What is not granted cannot be learned by asking: of two sources that differ only in it, nobody can tell which one answers.

use std::fmt::Write;

use landbridge::clock::Moment;
use landbridge::identity::Caller;
use landbridge::pb;
use landbridge::policy::PolicyFile;
use landbridge::policy::PolicyInput;
use landbridge::policy::PolicySet;
use landbridge::redact::PseudonymKey;
use landbridge::redact::Redactions;
use landbridge::redact::admits;
use landbridge::redact::verify::verdicts;
use landbridge::registry::Registry;
use landbridge::registry::query::Query;
use landbridge::registry::query::Raw;
use landbridge::registry::query::Selection;
use landbridge::registry::query::question::Question;
use landbridge::source::import::import;
use landbridge::source::sql::SqlBindings;
use landbridge::source::sql::SqlSource;
use time::UtcOffset;

use crate::harness::random::Random;

const CASES: u64 = 150;
const QUESTIONS: usize = 30;
const ROWS: usize = 12;
/// Within the agreement.
const NOON: Moment = Moment::from_micros(1_780_286_400_000_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    OptionalText,
    Number,
    OptionalNumber,
    Truth,
    Colour,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Hidden,
    Released,
    Masked,
    LookUp,
}

#[derive(Debug, Clone)]
struct Column {
    name: String,
    of: Type,
    access: Access,
}

impl Column {
    fn draw(number: usize, dice: &mut Random) -> Self {
        let of = dice.one_of(&[
            Type::Text,
            Type::Text,
            Type::OptionalText,
            Type::Number,
            Type::OptionalNumber,
            Type::Truth,
            Type::Colour,
        ]);
        let access = dice.one_of(&[
            Access::Hidden,
            Access::Hidden,
            Access::Released,
            Access::Masked,
            Access::LookUp,
        ]);
        Self {
            name: format!("f{number}"),
            of,
            access: match (access, of) {
                // There is no mask for these but `drop`, which hides them.
                (Access::Masked, Type::Truth | Type::Colour) => Access::Hidden,
                // Nor may they be looked up where records may be queried: there are too few values.
                (Access::LookUp, Type::Truth | Type::Colour) => Access::Hidden,
                (access, _) => access,
            },
        }
    }

    fn declaration(&self, number: usize) -> String {
        let (of, mask) = match self.of {
            Type::Text => ("string", "keep-first:2"),
            Type::OptionalText => ("optional string", "keep-first:2"),
            Type::Number => ("int32", "round:10"),
            Type::OptionalNumber => ("optional int32", "round:10"),
            Type::Truth => ("bool", ""),
            Type::Colour => ("Colour", ""),
        };
        let mask = match self.access {
            Access::Masked => format!(" [(landbridge.v1.field).mask = \"{mask}\"]"),
            _ => String::new(),
        };
        format!("  {of} {} = {number}{mask};\n", self.name)
    }

    /// As it stands in a CSV file.
    fn value(&self, dice: &mut Random) -> String {
        match self.of {
            Type::Text | Type::OptionalText => {
                dice.one_of(&["", "alpha", "beta", "gamma", "alpaca"])
            }
            Type::Number | Type::OptionalNumber => dice.one_of(&["", "3", "14", "15", "27", "-5"]),
            Type::Truth => dice.one_of(&["", "true", "false"]),
            Type::Colour => dice.one_of(&["", "COLOUR_RED", "COLOUR_BLUE"]),
        }
        .to_owned()
    }

    /// Another value that looks the same to the consumer.
    fn twin(&self, value: &str, dice: &mut Random) -> String {
        match (self.access, self.of) {
            (Access::Released | Access::LookUp, _) => value.to_owned(),
            (Access::Hidden, _) => self.value(dice),
            (Access::Masked, Type::Number | Type::OptionalNumber) => match value.parse::<i32>() {
                Ok(number) => (number.div_euclid(10) * 10 + dice.roll(10) as i32).to_string(),
                Err(_) => value.to_owned(),
            },
            (Access::Masked, _) => {
                let (shown, rest) = value.split_at(value.len().min(2));
                let other = rest.chars().map(|_| dice.one_of(&['x', 'y', 'z']));
                format!("{shown}{}", other.collect::<String>())
            }
        }
    }

    fn literal(&self, dice: &mut Random) -> String {
        match self.of {
            Type::Text | Type::OptionalText => {
                dice.one_of(&["\"alpha\"", "\"\"", "\"al\"", "\"beta\"", "\"gammb\""])
            }
            Type::Number | Type::OptionalNumber => dice.one_of(&["0", "14", "10", "20", "-5"]),
            Type::Truth => dice.one_of(&["true", "false"]),
            Type::Colour => dice.one_of(&["\"COLOUR_RED\"", "\"COLOUR_UNSPECIFIED\""]),
        }
        .to_owned()
    }
}

struct Case {
    columns: Vec<Column>,
    registry: Registry,
    policy: PolicySet,
    /// Two that differ only in what is not granted.
    sources: [SqlBindings; 2],
    _folder: tempfile::TempDir,
}

impl Case {
    async fn draw(seed: u64) -> Self {
        let mut dice = Random::new(seed);
        let columns: Vec<_> = (0..4 + dice.roll(5))
            .map(|number| Column::draw(number, &mut dice))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let registry = registry(&columns);
        let policy = policy(&columns, &registry);
        let [mut one, mut other] = [String::new(), String::new()];
        let header: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        for csv in [&mut one, &mut other] {
            writeln!(csv, "id,zone,{}", header.join(",")).unwrap();
        }
        for row in 0..ROWS {
            let zone = dice.one_of(&["a", "a", "b"]);
            let values: Vec<_> = columns.iter().map(|c| c.value(&mut dice)).collect();
            let twins = columns.iter().zip(&values);
            let twins: Vec<_> = twins.map(|(c, value)| c.twin(value, &mut dice)).collect();
            writeln!(one, "K{row:02},{zone},{}", values.join(",")).unwrap();
            writeln!(other, "K{row:02},{zone},{}", twins.join(",")).unwrap();
        }
        let sources = [
            source(&registry, &folder, "one", &one).await,
            source(&registry, &folder, "other", &other).await,
        ];
        Self {
            columns,
            registry,
            policy,
            sources,
            _folder: folder,
        }
    }

    fn question(&self, dice: &mut Random) -> (Question, Vec<String>) {
        let key = format!("K{:02}", dice.roll(ROWS + 2));
        let filter = match dice.roll(4) {
            0 => String::new(),
            _ => self.filter(dice, 0),
        };
        let question = match dice.roll(6) {
            0 => Question::Get { key },
            1 => Question::Count { filter },
            2 => Question::Verify {
                key,
                claims: self.claims(dice),
            },
            _ => Question::Query {
                filter,
                order_by: self.order(dice),
                limit: dice.one_of(&[0, 1, 3]),
                cursor: bytes::Bytes::new(),
            },
        };
        let fields = match dice.roll(3) {
            0 => vec![dice.one_of(&self.columns).name],
            _ => Vec::new(),
        };
        (question, fields)
    }

    fn filter(&self, dice: &mut Random, depth: usize) -> String {
        let column = dice.one_of(&self.columns);
        let (name, value) = (&column.name, column.literal(dice));
        match dice.roll(if depth > 2 { 6 } else { 9 }) {
            0 | 1 => format!("{name} == {value}"),
            2 => format!("{name} != {value}"),
            3 => format!("{name} < {value}"),
            4 => format!("{name} in [{value}, {}]", column.literal(dice)),
            5 => format!("has({name})"),
            6 => format!("!({})", self.filter(dice, depth + 1)),
            7 => format!("{name}.startsWith({value})"),
            _ => {
                let joined = dice.one_of(&["&&", "||"]);
                let (one, other) = (self.filter(dice, depth + 1), self.filter(dice, depth + 1));
                format!("({one}) {joined} ({other})")
            }
        }
    }

    fn order(&self, dice: &mut Random) -> String {
        match dice.roll(3) {
            0 => String::new(),
            1 => dice.one_of(&self.columns).name,
            _ => format!("{} desc, id", dice.one_of(&self.columns).name),
        }
    }

    /// Of what is masked, a verification confirms the value itself, to who knows it: that is what it is for.
    fn claims(&self, dice: &mut Random) -> Vec<pb::Claim> {
        let column = dice.one_of(&self.columns);
        let text = column.value(dice);
        let claim = pb::Claim {
            field: column.name,
            value: Some(pb::Value {
                kind: Some(match column.of {
                    Type::Number | Type::OptionalNumber => {
                        pb::value::Kind::Integer(text.parse().unwrap_or(0))
                    }
                    Type::Truth => pb::value::Kind::Boolean(text == "true"),
                    Type::Text | Type::OptionalText | Type::Colour => pb::value::Kind::Text(text),
                }),
            }),
        };
        match column.access {
            Access::Masked => Vec::new(),
            Access::Hidden | Access::Released | Access::LookUp => vec![claim],
        }
    }

    /// All that the consumer learns: what leaves, in its order, or why nothing does.
    async fn learns(
        &self,
        source: &SqlBindings,
        question: &Question,
        fields: &[String],
    ) -> Result<Vec<Vec<u8>>, String> {
        let schema = self.registry.record("test.v1.Thing").unwrap();
        let raw = Raw {
            purpose: "test",
            fields,
            selection: question.raw(),
        };
        let query = Query::check(schema, &raw).map_err(|invalid| invalid.to_string())?;
        let caller = Caller::assumed("tax".parse().unwrap(), Some("test".parse().unwrap()));
        let decided = self.policy.decide(&caller, query, NOON);
        let permit = decided.map_err(|denial| format!("{} {denial}", denial.reason()))?;
        let redactions = Redactions::default();
        let redaction = redactions.of(&permit, &PseudonymKey::from_secret(&[7; 32]));
        let selection = permit.query().selection.clone();
        let limit = permit.limit() as usize;
        let mut records = source
            .fetch(permit, None)
            .await
            .map_err(|error| error.for_asker())?;
        let mut raws = Vec::new();
        while let Some(batch) = records.next().await.map_err(|error| error.for_asker())? {
            raws.extend(batch);
        }
        let permit = records.permit();
        if let Selection::Count { .. } = selection {
            let counted = raws.iter().filter(|raw| admits(permit, raw).unwrap());
            return Ok(vec![counted.count().to_string().into_bytes()]);
        }
        let mut left = Vec::new();
        for raw in &raws {
            if let Some(record) = redaction.apply(raw).unwrap() {
                left.push((raw, record.into_bytes().to_vec()));
            }
        }
        if let Selection::Verify { claims, .. } = &selection {
            let raw = left.first().map(|(raw, _)| raw.as_ref());
            let told = verdicts(raw, claims).unwrap();
            return Ok(told.iter().map(|v| format!("{v:?}").into_bytes()).collect());
        }
        left.truncate(limit);
        Ok(left.into_iter().map(|(_, record)| record).collect())
    }
}

fn registry(columns: &[Column]) -> Registry {
    let mut text = "syntax = \"proto3\";\npackage test.v1;\nimport \"landbridge/v1/annotations.proto\";\n\
         enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; COLOUR_BLUE = 2; }\n\
         message Thing {\n  option (landbridge.v1.record) = { owner: \"civil\" key: \"id\" title: \"Thing\" sharing: SHARING_CLASS_CONDITIONAL };\n\
         string id = 1;\n  string zone = 2;\n"
        .to_owned();
    for (number, column) in columns.iter().enumerate() {
        text += &column.declaration(number + 3);
    }
    Registry::compile_texts([("thing.proto".to_owned(), text + "}\n")]).unwrap()
}

fn policy(columns: &[Column], registry: &Registry) -> PolicySet {
    let names = |wanted: &[Access]| {
        let columns = columns.iter().filter(|c| wanted.contains(&c.access));
        let names: Vec<_> = columns.map(|c| format!("\"{}\"", c.name)).collect();
        names.join(", ")
    };
    let text = format!(
        "id = \"T-1\"\ntitle = \"Test\"\nprovider = \"civil\"\nconsumer = \"tax\"\nlegal_basis = \"-\"\naccountable = \"-\"\n\
         valid_from = 2026-01-01\nvalid_until = 2027-12-31\npurposes = [\"test\"]\n[[grant]]\nrecord = \"test.v1.Thing\"\n\
         modes = [\"get\", \"query\", \"verify\", \"count\"]\nfields = [\"id\", {}]\nlookup = [{}]\nrows = 'zone == \"a\"'\n",
        names(&[Access::Released, Access::Masked]),
        names(&[Access::LookUp])
    );
    let agreements = [PolicyFile {
        path: "t.toml".to_owned(),
        text: text.replace(", ]", "]"),
    }];
    PolicySet::compile(&PolicyInput {
        department: &"civil".parse().unwrap(),
        departments: &["civil", "tax"].map(|id| id.parse().unwrap()),
        registry,
        agreements: &agreements,
        guardrails: &[],
        offset: UtcOffset::UTC,
        before: None,
    })
    .unwrap()
}

async fn source(
    registry: &Registry,
    folder: &tempfile::TempDir,
    name: &str,
    csv: &str,
) -> SqlBindings {
    let path = folder.path().join(name);
    let schema = registry.record("test.v1.Thing").unwrap();
    let table = "thing".parse().unwrap();
    import(csv.as_bytes(), schema, &path, &table, false, |_| {})
        .await
        .unwrap();
    let settings = "name = 'test'\n[[record]]\ntype = 'test.v1.Thing'\n";
    let url = format!("sqlite:{}", path.display());
    let source = SqlSource::open(toml::from_str(settings).unwrap(), &url).unwrap();
    source.bind(registry).unwrap()
}

#[tokio::test]
async fn what_is_not_granted_changes_no_answer_no_error_no_count_and_no_order() {
    let (mut answered, mut refused, mut rows) = (0, 0, 0);
    for seed in 0..CASES {
        let case = Case::draw(seed).await;
        let mut dice = Random::new(seed + 1_000_000);
        for _ in 0..QUESTIONS {
            let (question, fields) = case.question(&mut dice);
            let [one, other] = &case.sources;
            let learned = case.learns(one, &question, &fields).await;
            let twin = case.learns(other, &question, &fields).await;
            let shown = format!("seed {seed}: {:?} {fields:?}", shown(&question));
            assert_eq!(learned, twin, "{shown}\n{:#?}", case.columns);
            match learned {
                Ok(records) => {
                    answered += 1;
                    rows += records.len();
                }
                Err(_) => refused += 1,
            }
        }
    }
    // It asked, and was answered, and was refused.
    assert!(answered > 500, "{answered} answered");
    assert!(refused > 500, "{refused} refused");
    assert!(rows > 1_000, "{rows} rows");
}

/// A question as a failing test prints it: its own `Debug` shows no value.
fn shown(question: &Question) -> String {
    match question {
        Question::Get { key } => format!("get {key}"),
        Question::Query {
            filter,
            order_by,
            limit,
            ..
        } => format!("query {filter} by {order_by} limit {limit}"),
        Question::Verify { key, claims } => format!("verify {key} {}", claims.len()),
        Question::Count { filter } => format!("count {filter}"),
    }
}
