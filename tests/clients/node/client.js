// Asks a gateway for residents the way a department's own system does, and checks every answer.
//
// Prints one line of JSON for each step; ends with 1 at the first answer that is not as agreed.
//
//     node client.js --address localhost:7543 --ca ca.pem --cert assessment.pem --key assessment.key

import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const RECORD_TYPE = 'civil.v1.Resident';
const PURPOSE = 'tax-assessment';
const DISTRICT = 'Nanming';
const GRANTED = ['resident_id', 'full_name', 'national_id', 'birth_date', 'address.district'];
const WITHHELD = 'phone';
const LIMIT = 25;

const HERE = dirname(fileURLToPath(import.meta.url));
const REPOSITORY = resolve(HERE, '../../..');

class Mismatch extends Error {}

async function main() {
  const options = readOptions();
  const definition = load(options.proto);
  const client = connect(definition, options);
  try {
    await new Client(definition, client, Number(options.timeout)).run();
    return 0;
  } catch (error) {
    if (error instanceof Mismatch) say('mismatch', { detail: error.message });
    else if (error.code in grpc.status) say('error', { code: grpc.status[error.code], detail: error.details });
    else throw error;
    return 1;
  } finally {
    client.close();
  }
}

function readOptions() {
  const options = {
    address: { type: 'string' },
    ca: { type: 'string' },
    cert: { type: 'string' },
    key: { type: 'string' },
    proto: { type: 'string', default: join(REPOSITORY, 'proto') },
    timeout: { type: 'string', default: '30' },
  };
  const { values } = parseArgs({ options });
  const missing = ['address', 'ca', 'cert', 'key'].filter((name) => !values[name]);
  if (missing.length > 0) {
    console.error(`missing: ${missing.map((name) => `--${name}`).join(', ')}`);
    process.exit(64);
  }
  return values;
}

/** The API's and the registry's messages, from the .proto files. */
function load(proto) {
  const registry = join(proto, 'registry');
  const residents = readdirSync(join(registry, 'civil/v1')).filter((file) => file.endsWith('.proto'));
  const files = ['landbridge/v1/exchange.proto', 'status.proto', ...residents.map((file) => `civil/v1/${file}`)];
  return protoLoader.loadSync(files, {
    includeDirs: [proto, registry, HERE],
    keepCase: true,
    longs: String,
    enums: String,
    oneofs: true,
  });
}

function connect(definition, { address, ca, cert, key }) {
  const { ExchangeService } = grpc.loadPackageDefinition(definition).landbridge.v1;
  const credentials = grpc.credentials.createSsl(readFileSync(ca), readFileSync(key), readFileSync(cert));
  return new ExchangeService(address, credentials);
}

class Client {
  constructor(definition, client, timeout) {
    this.definition = definition;
    this.client = client;
    this.timeout = timeout;
    this.common = {
      record_type: RECORD_TYPE,
      grounds: { purpose: PURPOSE, case_reference: 'DEMO-2', officer: 'N. Example' },
    };
  }

  async run() {
    const residents = await this.query();
    // A gateway counts unconfirmed values for each record: runs in a row take different ones.
    const key = residents[Math.floor(Math.random() * residents.length)].resident_id;
    await this.get(key);
    await this.verify(key);
    await this.refused(key);
  }

  async query() {
    const filter = `address.district == "${DISTRICT}"`;
    const request = { ...this.common, fields: { paths: GRANTED }, filter, limit: LIMIT };
    const parts = [];
    for await (const part of this.client.QueryRecords(request, this.deadline())) parts.push(part);
    const kinds = parts.map(({ part }) => part);
    check(/^header( batch)* trailer$/.test(kinds.join(' ')), `the stream's parts are ${kinds}`);
    const residents = parts.flatMap(({ batch }) => batch?.records ?? []).map((record) => this.resident(record));
    const { header } = parts.at(0);
    const { trailer } = parts.at(-1);
    check(residents.length > 0 && residents.length <= LIMIT, `${residents.length} records for a limit of ${LIMIT}`);
    check(Number(trailer.records) === residents.length, `the trailer counts ${trailer.records} records`);
    const keys = residents.map((resident) => resident.resident_id);
    check(keys.every((key, i) => i === 0 || keys[i - 1] < key), 'the records are not in the order of their keys');
    say('query', { exchange: header.exchange_id, records: residents.length, bytes: Number(trailer.bytes) });
    return residents;
  }

  async get(key) {
    const { info, record } = await this.call('GetRecord', { ...this.common, key });
    const resident = this.resident(record);
    const masked = info.masked ?? [];
    check(resident.resident_id === key, 'another record than the one that was asked for');
    check(info.provider === 'civil', `the provider is ${info.provider}`);
    check(info.fields.every((field) => GRANTED.includes(field)), `released fields: ${info.fields}`);
    check(masked.includes('national_id'), `masked fields: ${masked}`);
    check(info.receipt?.leaf?.length > 0, 'no receipt');
    say('get', { exchange: info.exchange_id, agreement: info.agreement, masked, record: resident });
  }

  async verify(key) {
    const claims = [
      { field: 'address.district', value: { text: DISTRICT } },
      { field: 'full_name', value: { text: 'Nobody' } },
    ];
    const { info, verdicts } = await this.call('VerifyRecord', { ...this.common, key, claims });
    const outcomes = verdicts.map(({ outcome }) => outcome);
    const expected = ['VERDICT_OUTCOME_MATCH', 'VERDICT_OUTCOME_MISMATCH'];
    check(outcomes.join() === expected.join(), `the verdicts are ${outcomes}`);
    say('verify', { exchange: info.exchange_id, verdicts: outcomes });
  }

  async refused(key) {
    const request = { ...this.common, key, fields: { paths: ['resident_id', WITHHELD] } };
    const error = await this.call('GetRecord', request).then(
      () => { throw new Mismatch(`\`${WITHHELD}\` was released`); },
      (refusal) => refusal,
    );
    check(error.code === grpc.status.PERMISSION_DENIED, `the status is ${grpc.status[error.code]}`);
    const { reason, metadata } = this.errorInfo(error);
    check(reason === 'FIELD_NOT_GRANTED', `the reason is ${reason}`);
    check(Object.values(metadata ?? {}).includes(WITHHELD), `the metadata do not name \`${WITHHELD}\``);
    say('refused', { code: grpc.status[error.code], reason, metadata });
  }

  call(method, request) {
    return new Promise((done, failed) => {
      this.client[method](request, this.deadline(), (error, answer) => (error ? failed(error) : done(answer)));
    });
  }

  deadline() {
    return { deadline: Date.now() + this.timeout * 1000 };
  }

  resident(record) {
    const resident = this.definition[RECORD_TYPE].deserialize(record);
    check(resident.address?.district === DISTRICT, 'a resident of another district');
    check(!(WITHHELD in resident), `\`${WITHHELD}\` was released`);
    return resident;
  }

  errorInfo(error) {
    const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? [];
    check(bytes !== undefined, 'the refusal carries no details');
    const { details = [] } = this.definition['google.rpc.Status'].deserialize(bytes);
    const info = details.find(({ type_url }) => type_url.endsWith('/google.rpc.ErrorInfo'));
    check(info !== undefined, 'the refusal carries no google.rpc.ErrorInfo');
    return this.definition['google.rpc.ErrorInfo'].deserialize(info.value);
  }
}

function check(holds, otherwise) {
  if (!holds) throw new Mismatch(otherwise);
}

function say(step, facts) {
  console.log(JSON.stringify({ step, ...facts }));
}

process.exitCode = await main();
