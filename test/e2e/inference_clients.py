"""Asks a gateway by two clients of other hands, and prints what they saw as one line of JSON.

usage: inference_clients.py ADDRESS FOLDER MODEL BAG URI

FOLDER holds features.f32 [N, D], coords.i32 [N, 2] and size.json ([N, D]).
"""

import json
import sys

import grpc
import numpy as np
import tritonclient.grpc as triton
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

address, folder, model, bag, uri = sys.argv[1:]
n, d = json.load(open(f"{folder}/size.json"))
features = np.fromfile(f"{folder}/features.f32", np.float32).reshape(n, d)
coords = np.fromfile(f"{folder}/coords.i32", np.int32).reshape(n, 2)


def tensor(name, array, datatype):
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


def reference(text):
    return tensor("bag", np.array([text.encode()], dtype=np.object_), "BYTES")


def said(answer):
    return {
        "version": answer.get_response().model_version,
        "id": answer.get_response().id,
        "probabilities": answer.as_numpy("probabilities").tolist(),
        "labels": [label.decode() for label in answer.as_numpy("labels")],
        "decision": [label.decode() for label in answer.as_numpy("decision")],
    }


def refusal(call):
    try:
        call()
    except InferenceServerException as error:
        return [error.status(), error.message()]
    return None


def by_triton():
    client = triton.InferenceServerClient(address)
    inline = [tensor("features", features, "FP32"), tensor("coords", coords, "INT32")]
    halves = [tensor("features", features.astype(np.float16), "FP16"), tensor("coords", coords, "INT32")]
    wide = np.zeros((70_000, 16), np.float32)
    weighed = client.infer(
        model,
        inline,
        outputs=[triton.InferRequestedOutput("attention"), triton.InferRequestedOutput("coordinates")],
    )
    metadata = client.get_model_metadata(model, as_json=True)
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "modelReady": client.is_model_ready(model),
        "otherReady": client.is_model_ready("none"),
        "server": client.get_server_metadata(as_json=True)["name"],
        "inputs": [each["name"] for each in metadata["inputs"]],
        "outputs": [each["name"] for each in metadata["outputs"]],
        "inline": said(client.infer(model, inline, request_id="a1")),
        "named": said(client.infer(model, [reference(bag)], request_id="a2")),
        "file": said(client.infer(model, [reference(uri)], request_id="a3")),
        "halves": said(client.infer(model, halves, request_id="a4")),
        "attention": weighed.as_numpy("attention")[:, 0].tolist(),
        "coordinates": weighed.as_numpy("coordinates").tolist(),
        "absent": refusal(lambda: client.infer("none", inline)),
        "misshaped": refusal(lambda: client.infer(model, [tensor("features", features[:, :8].copy(), "FP32")])),
        "oversized": refusal(lambda: client.infer(model, [tensor("features", wide, "FP32")])),
    }


def differences(ours, theirs):
    """What of our messages is not in theirs under the same name, number, type and label."""
    found = []
    for name, message in ours.message_types_by_name.items():
        found += message_differences(message, theirs.message_types_by_name.get(name))
    for name, service in ours.services_by_name.items():
        for method in service.methods:
            other = theirs.services_by_name[name].methods_by_name.get(method.name)
            if other is None or (method.input_type.full_name, method.output_type.full_name) != (
                other.input_type.full_name,
                other.output_type.full_name,
            ):
                found.append(f"{name}.{method.name}")
    return found


def message_differences(message, other):
    if other is None:
        return [message.full_name]
    found = []
    for field in message.fields:
        same = other.fields_by_name.get(field.name)
        if same is None or (field.number, field.type, field.is_repeated) != (same.number, same.type, same.is_repeated):
            found.append(field.full_name)
    for nested in message.nested_types:
        found += message_differences(nested, other.nested_types_by_name.get(nested.name))
    return found


def by_reflection():
    """Knows no contract beforehand: builds messages of what reflection tells."""
    channel = grpc.insecure_channel(address)
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = descriptor_pool.DescriptorPool(database)
    service = pool.FindServiceByName("inference.GRPCInferenceService")
    method = service.FindMethodByName("ModelInfer")
    request_type = message_factory.GetMessageClass(method.input_type)
    answer_type = message_factory.GetMessageClass(method.output_type)
    request = request_type(model_name=model)
    asked = request.inputs.add(name="features", datatype="FP32", shape=[n, d])
    asked.contents.fp32_contents.extend(features.ravel().tolist())
    asked = request.inputs.add(name="coords", datatype="INT32", shape=[n, 2])
    asked.contents.int_contents.extend(coords.ravel().tolist())
    call = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        request_serializer=request_type.SerializeToString,
        response_deserializer=answer_type.FromString,
    )
    answer = call(request)
    return {
        "services": sorted(database.get_services()),
        "differences": differences(service.file, service_pb2.DESCRIPTOR),
        "probabilities": list(answer.outputs[0].contents.fp32_contents),
        "labels": [label.decode() for label in answer.outputs[1].contents.bytes_contents],
    }


print(json.dumps({"triton": by_triton(), "reflection": by_reflection()}))
