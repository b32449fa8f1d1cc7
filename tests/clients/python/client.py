"""Asks a gateway for residents the way a department's own system does, and checks every answer.

Prints one line of JSON for each step; ends with 1 at the first answer that is not as agreed.

    python client.py --address localhost:7543 --ca ca.pem --cert assessment.pem --key assessment.key
"""

import argparse
import json
import pathlib
import random
import sys
import tempfile

import grpc
import grpc_tools
from google.protobuf import json_format
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from grpc_tools import protoc

RECORD_TYPE = "civil.v1.Resident"
PURPOSE = "tax-assessment"
DISTRICT = "Nanming"
GRANTED = ["resident_id", "full_name", "national_id", "birth_date", "address.district"]
WITHHELD = "phone"
LIMIT = 25


class Mismatch(Exception):
    """An answer that is not as agreed."""


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as generated:
        generate(args.proto, generated)
        sys.path.insert(0, generated)
        with channel(args) as open_channel:
            try:
                Client(open_channel, args.timeout).run()
            except Mismatch as mismatch:
                say("mismatch", detail=str(mismatch))
                return 1
            except grpc.RpcError as error:
                say("error", code=error.code().name, detail=error.details())
                return 1
    return 0


def arguments():
    repository = pathlib.Path(__file__).resolve().parents[3]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", required=True, help="the systems door, such as localhost:7543")
    parser.add_argument("--ca", required=True, help="the department's CA certificate (PEM)")
    parser.add_argument("--cert", required=True, help="the system's certificate (PEM)")
    parser.add_argument("--key", required=True, help="the system's private key (PEM)")
    parser.add_argument("--proto", type=pathlib.Path, default=repository / "proto")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds for each call")
    return parser.parse_args()


def generate(proto, out):
    """Generates the API's and the registry's classes from the .proto files, as any client would."""
    registry = proto / "registry"
    bundled = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    files = ["buf/validate/validate.proto", "landbridge/v1/annotations.proto", "landbridge/v1/exchange.proto"]
    files += sorted(str(file.relative_to(registry)) for file in registry.glob("civil/v1/*.proto"))
    includes = [f"-I{directory}" for directory in (proto, registry, bundled)]
    outputs = [f"--python_out={out}", f"--grpc_python_out={out}"]
    if protoc.main(["protoc", *includes, *outputs, *files]) != 0:
        raise SystemExit("the .proto files do not compile")


def channel(args):
    credentials = grpc.ssl_channel_credentials(
        root_certificates=pathlib.Path(args.ca).read_bytes(),
        private_key=pathlib.Path(args.key).read_bytes(),
        certificate_chain=pathlib.Path(args.cert).read_bytes(),
    )
    return grpc.secure_channel(args.address, credentials)


class Client:
    def __init__(self, open_channel, timeout):
        from civil.v1 import resident_pb2
        from landbridge.v1 import exchange_pb2, exchange_pb2_grpc

        self.api = exchange_pb2
        self.resident_type = resident_pb2.Resident
        self.stub = exchange_pb2_grpc.ExchangeServiceStub(open_channel)
        self.timeout = timeout
        self.common = {
            "record_type": RECORD_TYPE,
            "grounds": exchange_pb2.Grounds(purpose=PURPOSE, case_reference="DEMO-1", officer="W. Example"),
        }

    def run(self):
        residents = self.query()
        # A gateway counts unconfirmed values for each record: runs in a row take different ones.
        key = random.choice(residents).resident_id
        self.get(key)
        self.verify(key)
        self.refused(key)

    def query(self):
        request = self.api.QueryRecordsRequest(
            **self.common, fields={"paths": GRANTED}, filter=f'address.district == "{DISTRICT}"', limit=LIMIT
        )
        parts = list(self.stub.QueryRecords(request, timeout=self.timeout))
        kinds = [part.WhichOneof("part") for part in parts]
        whole = kinds[:1] == ["header"] and kinds[1:][-1:] == ["trailer"] and set(kinds[1:-1]) <= {"batch"}
        check(whole, f"the stream's parts are {kinds}")
        residents = [self.resident(record) for part in parts for record in part.batch.records]
        trailer = parts[-1].trailer
        check(0 < len(residents) <= LIMIT, f"{len(residents)} records for a limit of {LIMIT}")
        check(trailer.records == len(residents), f"the trailer counts {trailer.records} records")
        keys = [resident.resident_id for resident in residents]
        check(keys == sorted(set(keys)), "the records are not in the order of their keys")
        say("query", exchange=parts[0].header.exchange_id, records=len(residents), bytes=trailer.bytes)
        return residents

    def get(self, key):
        request = self.api.GetRecordRequest(**self.common, key=key)
        answer = self.stub.GetRecord(request, timeout=self.timeout)
        resident = self.resident(answer.record)
        check(resident.resident_id == key, "another record than the one that was asked for")
        check(answer.info.provider == "civil", f"the provider is {answer.info.provider}")
        check(set(answer.info.fields) <= set(GRANTED), f"released fields: {list(answer.info.fields)}")
        check("national_id" in answer.info.masked, f"masked fields: {list(answer.info.masked)}")
        check(len(answer.info.receipt.leaf) > 0, "no receipt")
        say(
            "get",
            exchange=answer.info.exchange_id,
            agreement=answer.info.agreement,
            masked=list(answer.info.masked),
            record=json_format.MessageToDict(resident, preserving_proto_field_name=True),
        )

    def verify(self, key):
        claims = [
            self.api.Claim(field="address.district", value=self.api.Value(text=DISTRICT)),
            self.api.Claim(field="full_name", value=self.api.Value(text="Nobody")),
        ]
        request = self.api.VerifyRecordRequest(**self.common, key=key, claims=claims)
        answer = self.stub.VerifyRecord(request, timeout=self.timeout)
        outcomes = [self.api.VerdictOutcome.Name(verdict.outcome) for verdict in answer.verdicts]
        expected = ["VERDICT_OUTCOME_MATCH", "VERDICT_OUTCOME_MISMATCH"]
        check(outcomes == expected, f"the verdicts are {outcomes}")
        say("verify", exchange=answer.info.exchange_id, verdicts=outcomes)

    def refused(self, key):
        request = self.api.GetRecordRequest(**self.common, key=key, fields={"paths": ["resident_id", WITHHELD]})
        try:
            self.stub.GetRecord(request, timeout=self.timeout)
        except grpc.RpcError as error:
            check(error.code() == grpc.StatusCode.PERMISSION_DENIED, f"the status is {error.code()}")
            info = error_info(error)
            check(info.reason == "FIELD_NOT_GRANTED", f"the reason is {info.reason}")
            check(WITHHELD in info.metadata.values(), f"the metadata do not name `{WITHHELD}`")
            say("refused", code=error.code().name, reason=info.reason, metadata=dict(info.metadata))
        else:
            raise Mismatch(f"`{WITHHELD}` was released")

    def resident(self, record):
        resident = self.resident_type.FromString(record)
        check(resident.address.district == DISTRICT, "a resident of another district")
        check(not resident.HasField(WITHHELD), f"`{WITHHELD}` was released")
        return resident


def error_info(error):
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info
    raise Mismatch("the refusal carries no google.rpc.ErrorInfo")


def check(holds, otherwise):
    if not holds:
        raise Mismatch(otherwise)


def say(step, **facts):
    print(json.dumps({"step": step, **facts}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main())
