"""What the server answers: endpoints, bodies, errors and the OpenAPI document."""
