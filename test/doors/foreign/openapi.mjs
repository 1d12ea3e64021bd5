// Has a validator judge the OpenAPI document at a URL, and then a document that is spoilt: the validator must be able to refuse.
import { Validator } from "@seriousme/openapi-schema-validator";

const document = await (await fetch(process.argv[2])).json();
const result = await new Validator().validate(structuredClone(document));
if (!result.valid) {
	console.log(JSON.stringify(result.errors, null, 1));
	process.exit(0);
}
document.paths = { "no slash": 5 };
const spoilt = await new Validator().validate(document);
console.log(spoilt.valid ? "the validator takes anything" : "valid");
