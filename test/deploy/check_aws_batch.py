"""Holds a job definition to AWS's own model of RegisterJobDefinition, as its client does before it sends one."""
import json
import sys

import botocore.session
import botocore.validate

model = botocore.session.get_session().get_service_model('batch')
shape = model.operation_model('RegisterJobDefinition').input_shape
report = botocore.validate.ParamValidator().validate(json.load(sys.stdin), shape)
sys.exit(report.generate_report() if report.has_errors() else 0)
