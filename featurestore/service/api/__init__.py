"""What the server answers: the route table, the handlers, errors and the OpenAPI document."""
