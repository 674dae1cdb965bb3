import { expect, test } from 'vitest'
import { runtimeCauseOf } from '../../src/model/runtime-words.ts'

const SOURCE = '/onnxruntime_src/onnxruntime/core'

// As ONNX Runtime 1.24 wrote them.
test.each([
  [
    'Got invalid dimensions for input: sample for the following indices\n index: 2 Got: 16 Expected: 8\n index: 3 Got: 24 Expected: 8\n Please fix either the inputs/outputs or the model.',
    'its input "sample" has 16 on axis 2, where 8 is built into the export, and 24 on axis 3, where 8 is built into the export',
    /export the model with free sizes/,
  ],
  [
    'Invalid rank for input: sample Got: 4 Expected: 5 Please fix either the inputs/outputs or the model.',
    'its input "sample" has 5 dimensions in this export, and 4 for this kind of model',
    /another kind of model/,
  ],
  [
    `Non-zero status code returned while running Add node. Name:'/down/Add' Status Message: ${SOURCE}/providers/cpu/math/element_wise_ops.h:563 void onnxruntime::BroadcastIterator::Init(ptrdiff_t, ptrdiff_t) axis == 1 || axis == largest was false. Attempting to broadcast an axis by a dimension other than 1. 3 by 4\n`,
    'sizes within the model do not fit each other, 3 and 4',
    /width and height/,
  ],
  [
    "Non-zero status code returned while running Concat node. Name:'/up/Concat' Status Message: concatbase.h:133 PrepareForComputeImpl Non concat axis dimensions must match: Axis 0 has mismatched dimensions of 3 and 2",
    'sizes within the model do not fit each other, 3 and 2',
    /width and height/,
  ],
  [
    "Non-zero status code returned while running MatMul node. Name:'/attn/MatMul' Status Message: matmul_helper.h:59 Compute MatMul dimension mismatch",
    'sizes within the model do not fit each other',
    /width and height/,
  ],
  [
    `Non-zero status code returned while running Reshape node. Name:'/r' Status Message: ${SOURCE}/providers/cpu/tensor/reshape_helper.h:91 onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, bool) input_shape_size == requested_shape_size was false. The input tensor cannot be reshaped to the requested shape. Input shape:{2,3}, requested shape:{3,7}\n`,
    'sizes are built into the export: 2 × 3 numbers cannot be laid out as 3 × 7',
    /width and height/,
  ],
  [
    "Non-zero status code returned while running Gather node. Name:'/embed' Status Message: indices element out of data bounds, idx=9 must be within the inclusive range [-4,3]",
    'it was asked for entry 9 of a table whose last one is 3',
    /tokenizer/,
  ],
  [
    "Could not find an implementation for Conv(22) node with name 'conv1'",
    'ONNX Runtime has no kernel for Conv with the types that this export has there',
    /fp32 or fp16 export/,
  ],
  [
    "Could not find an implementation for NhwcConv(1) node with name 'NhwcConv-1'",
    'it was fused for CUDA: ONNX Runtime has its operator NhwcConv there alone',
    /folder that it was made of/,
  ],
  [
    'Load model from /m/unet/model.onnx failed:This is an invalid model. In Node, ("n1", Foo, "", -1) : ("x": tensor(float),) -> ("y": tensor(float),) , Error No Op registered for Foo with domain_version of 17',
    'it uses the operator Foo, which opset 17 does not have',
    /optimum/,
  ],
  [
    'Load model from /m/unet/model.onnx failed:Fatal error: com.acme:Foo(-1) is not a registered function/op',
    'it uses the operator com.acme:Foo, which this ONNX Runtime does not have',
    /optimum/,
  ],
  [
    `Load model from /m/model.onnx failed:${SOURCE}/graph/model_load_utils.h:46 void onnxruntime::model_load_utils::ValidateOpsetForDomain() ONNX Runtime only *guarantees* support for models stamped with official released onnx opset versions. Opset 99 is under development and support for this is limited. The operator schemas and or other functionality may change before next ONNX release and in this case ONNX Runtime will not guarantee backward compatibility. Current official support for domain ai.onnx is till opset 26.\n`,
    'it is exported with opset 99, and this ONNX Runtime reads up to 26',
    /lower --opset/,
  ],
  [
    `Load model from /m/model.onnx failed:${SOURCE}/graph/model.cc:202 onnxruntime::Model::Model(onnx::ModelProto&&) Unsupported model IR version: 99, max supported IR version: 13\n`,
    'its file format is ONNX IR 99, and this ONNX Runtime reads up to 13',
    /older onnx package/,
  ],
  [
    'Load model from /m/unet/model.onnx failed:Protobuf parsing failed.',
    'the file is no ONNX model, or ends too early',
    /git lfs pull/,
  ],
  [
    'External data path validation failed for initializer: w. Error: tensorprotoutils.cc:461 ValidateExternalDataPathFromDir External data path does not exist: "/m/unet/weights.pb"',
    'its weights, which lie in a file beside it, are not there or end too early',
    /Download the file again/,
  ],
  [
    "Non-zero status code returned while running Conv node. Name:'/conv' Status Message: CUDNN failure 9: CUDNN_STATUS_NOT_SUPPORTED ; GPU=0 ; hostname=h ; file=conv.cc ; line=400 ; expr=x;\n",
    'the GPU did not do what it was told (9: CUDNN_STATUS_NOT_SUPPORTED)',
    /--provider cpu/,
  ],
])('%s', (message, what, help) => {
  const cause = runtimeCauseOf(message)
  expect(cause.what).toBe(what)
  expect(cause.help).toMatch(help)
})

test('what is not known stays as it is, in one line, without places and nodes that nobody wrote', () => {
  const { what, help } = runtimeCauseOf(
    `Non-zero status code returned while running Mul node. Name:'/a/b/Mul' Status Message: ${SOURCE}/x/mul.cc:12 something\n odd\n`,
  )
  expect([what, help]).toEqual(['Mul: something odd', undefined])
})
