"""Prints the official protobuf definitions of OTLP logs as a FileDescriptorSet, in protobuf's JSON, for tests/ship/otlp.py.

Run once, with opentelemetry-proto 1.45.2 of PyPI (Apache-2.0), whose definitions they are:
python3 tests/schemas/otlp.py > tests/schemas/otlp-logs.json
"""

import json

from google.protobuf import descriptor_pb2, json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

files = descriptor_pb2.FileDescriptorSet()
for module in (common_pb2, resource_pb2, logs_pb2, logs_service_pb2):
    module.DESCRIPTOR.CopyToProto(files.file.add())
print(json.dumps(json_format.MessageToDict(files), separators=(",", ":"), sort_keys=True))
