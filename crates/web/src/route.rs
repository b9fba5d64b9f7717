use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::Scope;
use crate::gate::Gate;
use crate::openapi::Doc;
use crate::tokens::ApiTokens;

/// One method of a path below `/v1`; none comes without its documentation.
pub(crate) struct Route<S> {
    operation: Operation,
    handler: MethodRouter<S>,
}

/// What is known of a route without calling it.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) scope: Scope,
    pub(crate) doc: Doc,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    pub(crate) fn new<H: Handler<T, S>, T: 'static>(
        method: Method,
        path: &'static str,
        scope: Scope,
        handler: H,
        doc: Doc,
    ) -> Self {
        // Methods of HTTP's own all have a filter; any other would answer to GET and show in the API's tests.
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        Self { operation: Operation { method, path, scope, doc }, handler: on(filter, handler) }
    }

    /// What is known of it; its handler is dropped.
    pub(crate) fn into_operation(self) -> Operation {
        self.operation
    }

    /// The path and what answers there, behind a token with the route's scope.
    pub(crate) fn gated(self, tokens: &ApiTokens) -> (&'static str, MethodRouter<S>) {
        let gate = Gate { tokens: tokens.clone(), scope: self.operation.scope };
        (self.operation.path, self.handler.route_layer(gate))
    }
}
