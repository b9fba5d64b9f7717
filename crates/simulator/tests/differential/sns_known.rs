use crate::record::Known;

/// Where the simulator follows AWS and moto does not.
pub(crate) const KNOWN: &[Known] = &[
    Known {
        step: "set an unknown attribute",
        simulator: "400 InvalidParameter",
        moto: "done",
        reason: "SetTopicAttributes lists the attributes that there are and InvalidParameter for others",
    },
    Known {
        step: "subscribe it with other attributes",
        simulator: "400 InvalidParameter",
        moto: "done",
        reason: "Subscribe finds an existing subscription; only SetSubscriptionAttributes changes one",
    },
    Known {
        step: "subscribe a pigeon",
        simulator: "400 InvalidParameter",
        moto: "done",
        reason: "Subscribe lists the protocols that there are",
    },
    Known {
        step: "a message with a subject: its signature",
        simulator: "true",
        moto: "false",
        reason: "the string to sign has the Subject where the message has one; moto leaves it out",
    },
    Known {
        step: "publish nothing",
        simulator: "400 InvalidParameter",
        moto: "done",
        reason: "Publish asks for a message that is not empty",
    },
    Known {
        step: "publish with an attribute of an unknown type",
        simulator: "400 ParameterValueInvalid",
        moto: "400 InvalidParameter",
        reason: "Publish has the error InvalidParameterValue, whose code is ParameterValueInvalid, for values",
    },
    Known {
        step: "ask for neither",
        simulator: "400 InvalidParameter",
        moto: "done",
        reason: "RawMessageDelivery is true or false",
    },
    Known {
        step: "publish an empty batch",
        simulator: "400 EmptyBatchRequest",
        moto: r#"{"failed":[],"sent":[]}"#,
        reason: "PublishBatch has the error EmptyBatchRequest",
    },
];
