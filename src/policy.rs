//! What may be released to whom: agreements permit, guardrails forbid, and a decision names what it rests on.

pub mod agreement;
pub mod change;
pub mod decision;
pub mod explanation;
pub mod ledger;

mod candidate;
mod guardrail;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use time::UtcOffset;

use crate::clock::Moment;
use crate::digest::Digest;
use crate::digest::hex;
use crate::fault::Fault;
use crate::identity::Caller;
use crate::name::DepartmentId;
use crate::name::RecordType;
use crate::registry::Registry;
use crate::registry::query::Query;
use crate::registry::schema::RecordSchema;
use agreement::Agreement;
use agreement::Canonical;
use agreement::CompiledAgreement;
use agreement::Grant;
use agreement::ReleasedField;
use candidate::Candidate;
use candidate::CheckedDenial;
use candidate::JudgedQuery;
use decision::Denial;
use decision::Permit;
use decision::Role;
use explanation::Explanation;
use guardrail::Guardrails;
use guardrail::Slicer;

/// A policy file as it was read: policy itself reads none.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// The path as an administrator knows it.
    pub path: String,
    pub text: String,
}

/// What a policy set is compiled from.
#[derive(Debug)]
pub struct PolicyInput<'a> {
    /// The department whose gateway this is.
    pub department: &'a DepartmentId,
    /// The departments of the directory.
    pub departments: &'a [DepartmentId],
    pub registry: &'a Registry,
    pub agreements: &'a [PolicyFile],
    pub guardrails: &'a [PolicyFile],
    /// Where the agreements' days begin and end.
    pub offset: UtcOffset,
    /// The policy until now, from which agreements that have not changed are taken over.
    pub before: Option<&'a PolicySet>,
}

/// One compiled, immutable policy.
#[derive(Debug)]
pub struct PolicySet {
    department: DepartmentId,
    offset: UtcOffset,
    /// Those to which the department is a party.
    agreements: Vec<Arc<Agreement>>,
    /// Their grants, by consumer and record type, in the order of the agreements.
    index: HashMap<DepartmentId, HashMap<RecordType, Vec<Candidate>>>,
    revision: Digest,
    /// All agreements in the files.
    compiled: Vec<CompiledAgreement>,
    /// The files of guardrails, each with the digest of its text.
    guardrails: Vec<(String, Digest)>,
    /// By the guardrails' ids, each with its reason.
    meanings: BTreeMap<String, (String, String)>,
}

/// A part of a policy that has a file of its own.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// An agreement's id, or the name of a file of guardrails.
    pub name: &'a str,
    /// Of an agreement's canonical form, or of the text of guardrails.
    pub digest: &'a Digest,
    /// The path as an administrator knows it.
    pub file: &'a str,
    /// Of the file's text, as [`text_digest`] makes it.
    pub text: &'a Digest,
}

/// Of the text of a policy file.
pub fn text_digest(text: &str) -> Digest {
    let mut form = Canonical::new("landbridge policy file 1");
    form.text(text);
    form.finish()
}

impl PolicySet {
    /// Compiles all files or reports every fault in them, by file and line.
    pub fn compile(input: &PolicyInput<'_>) -> Result<Self, Vec<Fault>> {
        let before = input.before.map_or(&[][..], |before| &before.compiled);
        let agreements = agreement::compile(input, before);
        let guardrails = Guardrails::load(&guardrail::Input {
            files: input.guardrails,
            departments: input.departments,
            registry: input.registry,
        });
        match (agreements, guardrails) {
            (Ok(agreements), Ok(guardrails)) => Ok(Self::assemble(input, agreements, &guardrails)),
            (agreements, guardrails) => {
                let mut faults = agreements.err().unwrap_or_default();
                faults.extend(guardrails.err().unwrap_or_default());
                faults.sort();
                Err(faults)
            }
        }
    }

    fn assemble(
        input: &PolicyInput<'_>,
        compiled: Vec<CompiledAgreement>,
        guardrails: &Guardrails,
    ) -> Self {
        let concerns = |a: &Agreement| [&a.provider, &a.consumer].contains(&input.department);
        let agreements = compiled.iter().map(|compiled| &compiled.agreement);
        let mut agreements: Vec<_> = agreements.filter(|a| concerns(a)).cloned().collect();
        agreements.sort_by(|a, b| a.id.cmp(&b.id));
        Self {
            department: input.department.clone(),
            offset: input.offset,
            index: index(&agreements, guardrails),
            revision: revision(input, &agreements, guardrails),
            agreements,
            compiled,
            guardrails: input
                .guardrails
                .iter()
                .map(|file| (file.path.clone(), text_digest(&file.text)))
                .collect(),
            meanings: guardrails
                .canonical()
                .map(|(id, reason, meaning)| (id.to_owned(), (reason.to_owned(), meaning)))
                .collect(),
        }
    }

    /// What the guardrails mean, by their ids, each with its reason.
    fn meanings(&self) -> &BTreeMap<String, (String, String)> {
        &self.meanings
    }

    /// SHA-256 over the canonical digests of all agreements, the guardrails and the registry.
    pub fn revision(&self) -> &Digest {
        &self.revision
    }

    /// The agreements to which the department is a party, by id.
    pub fn agreements(&self) -> impl Iterator<Item = &Arc<Agreement>> {
        self.agreements.iter()
    }

    /// The agreements to which the department is a party, and the guardrails.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let concerns = |compiled: &&CompiledAgreement| {
            let Agreement {
                provider, consumer, ..
            } = &*compiled.agreement;
            [provider, consumer].contains(&&self.department)
        };
        let agreements = self
            .compiled
            .iter()
            .filter(concerns)
            .map(CompiledAgreement::part);
        agreements.chain(self.guardrails())
    }

    /// The files of guardrails.
    pub fn guardrails(&self) -> impl Iterator<Item = Part<'_>> {
        self.guardrails.iter().map(|(file, text)| Part {
            name: Path::new(file)
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or(file),
            digest: text,
            file,
            text,
        })
    }

    /// The grants on a record type that the caller may use at that time, for the catalogue.
    pub fn usable(
        &self,
        caller: &Caller,
        schema: &RecordSchema,
        at: Moment,
    ) -> Vec<(&Arc<Agreement>, &Grant)> {
        let today = at.date(self.offset);
        self.candidates(caller, schema)
            .iter()
            .filter(|c| c.in_force(today).is_ok() && c.lets(caller).is_ok())
            .map(|c| (c.agreement(), c.grant()))
            .collect()
    }

    /// Decides. The first grant that permits the whole query wins; otherwise the denial that came furthest is told.
    pub fn decide(&self, caller: &Caller, query: Query, at: Moment) -> Result<Permit, Denial> {
        let mut refusals = Vec::new();
        let permitted = self
            .judge(caller, &query, at)
            .find_map(|(candidate, judgement)| match judgement {
                Ok(released) => Some((candidate, released)),
                Err(refused) => {
                    refusals.push(refused);
                    None
                }
            });
        match permitted {
            Some((candidate, released)) => Ok(self.permit(caller, query, candidate, released)),
            None => Err(self.furthest(caller, &query, refusals)),
        }
    }

    /// What `decide` would say, and how every grant fares that could matter.
    pub fn explain(&self, caller: &Caller, query: &Query, at: Moment) -> Explanation {
        let judged: Vec<_> = self.judge(caller, query, at).collect();
        let refusals = judged
            .iter()
            .filter_map(|(_, judgement)| judgement.as_ref().err().cloned())
            .collect();
        let chosen = judged.iter().position(|(_, judgement)| judgement.is_ok());
        let denial = match chosen {
            Some(_) => None,
            None => Some(self.furthest(caller, query, refusals)),
        };
        Explanation {
            role: self.role(&query.schema),
            revision: hex(&self.revision),
            chosen,
            denial: denial.as_ref().map(Into::into),
            considered: judged
                .into_iter()
                .map(|(candidate, judgement)| candidate.explain(query, judgement))
                .collect(),
        }
    }

    /// The one walk behind both: every grant that could matter, in order, each judged when it is asked for.
    fn judge<'a, 'q>(
        &'a self,
        caller: &'q Caller,
        query: &'q Query,
        at: Moment,
    ) -> impl Iterator<Item = (&'a Candidate, Result<Arc<[ReleasedField]>, CheckedDenial>)> {
        let asked = JudgedQuery {
            caller,
            query,
            at: at.at(self.offset),
        };
        self.candidates(caller, &query.schema)
            .iter()
            .map(move |candidate| (candidate, candidate.judge(&asked)))
    }

    fn candidates(&self, caller: &Caller, schema: &RecordSchema) -> &[Candidate] {
        self.index
            .get(caller.department())
            .and_then(|by_record| by_record.get(schema.name()))
            .map_or(&[], Vec::as_slice)
    }

    fn furthest(&self, caller: &Caller, query: &Query, refusals: Vec<CheckedDenial>) -> Denial {
        // The first of those that came equally far.
        let furthest = refusals.into_iter().rev().max_by_key(|r| r.check);
        furthest.map_or_else(
            || Denial::NoAgreement {
                provider: query.schema.owner().clone(),
                consumer: caller.department().clone(),
                record: query.schema.name().clone(),
            },
            |refused| refused.denial,
        )
    }

    fn role(&self, schema: &RecordSchema) -> Role {
        if *schema.owner() == self.department {
            Role::Provider
        } else {
            Role::Consumer
        }
    }

    fn permit(
        &self,
        caller: &Caller,
        query: Query,
        candidate: &Candidate,
        released: Arc<[ReleasedField]>,
    ) -> Permit {
        let role = self.role(&query.schema);
        let releases_all = Arc::ptr_eq(&released, &candidate.grant().released);
        let (released, gate) = match role {
            Role::Provider => (released, candidate.gate(&query)),
            Role::Consumer => (candidate.unmasked(&released), None),
        };
        Permit {
            agreement: candidate.agreement().clone(),
            grant: candidate.number(),
            role,
            released,
            releases_all,
            gate,
            limit: candidate.limit(&query),
            guesses: candidate.guesses(&query),
            revision: self.revision,
            consumer: caller.department().clone(),
            query,
        }
    }
}

fn index(
    agreements: &[Arc<Agreement>],
    guardrails: &Guardrails,
) -> HashMap<DepartmentId, HashMap<RecordType, Vec<Candidate>>> {
    let mut index = HashMap::<_, HashMap<_, Vec<_>>>::new();
    let mut slicer = Slicer::new(guardrails);
    for agreement in agreements {
        let by_record = index.entry(agreement.consumer.clone()).or_default();
        for (number, grant) in agreement.grants.iter().enumerate() {
            let candidates = by_record.entry(grant.schema.name().clone()).or_default();
            candidates.push(Candidate::new(agreement, number, grant, &mut slicer));
        }
    }
    index
}

fn revision(
    input: &PolicyInput<'_>,
    agreements: &[Arc<Agreement>],
    guardrails: &Guardrails,
) -> Digest {
    let mut form = Canonical::new("landbridge policy 1");
    form.text(input.department.as_str());
    form.text(&input.offset.to_string());
    form.bytes(input.registry.digest());
    form.number(agreements.len() as u64);
    for agreement in agreements {
        form.bytes(&agreement.digest);
    }
    for (id, reason, meaning) in guardrails.canonical() {
        form.text(id);
        form.text(reason);
        form.text(&meaning);
    }
    form.finish()
}
