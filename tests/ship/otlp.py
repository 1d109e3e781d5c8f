"""Reads OTLP requests, JSON or protobuf, with the official definitions; prints each record's attributes and body as JSON.

usage: otlp.py DEFINITIONS REQUEST... ; a request that is not OTLP is an error.
"""

import json
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

files = json_format.Parse(open(sys.argv[1]).read(), descriptor_pb2.FileDescriptorSet())
pool = descriptor_pool.DescriptorPool()
for file in files.file:
    pool.Add(file)
name = "opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest"
descriptor = pool.FindMessageTypeByName(name)
make = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
Request = make(descriptor)

for path in sys.argv[2:]:
    body = open(path, "rb").read()
    request = Request()
    if body[:1] == b"{":
        # Not lenient: a name that the definitions do not have is an error.
        json_format.Parse(body, request)
    else:
        request.ParseFromString(body)
    for resource in request.resource_logs:
        of_resource = {a.key: a.value.string_value for a in resource.resource.attributes}
        for scope in resource.scope_logs:
            for record in scope.log_records:
                print(json.dumps({
                    "resource": of_resource,
                    "scope": scope.scope.name,
                    "time": record.time_unix_nano,
                    "severity": record.severity_number,
                    "attributes": {a.key: a.value.string_value for a in record.attributes},
                    "body": record.body.string_value,
                }))
