"""The shapes of requests and answers, a file a resource: the OpenAPI document is made of them."""
