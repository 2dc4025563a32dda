use serde_json::json;

use super::*;

fn texts(texts: &[&str]) -> Vec<Text> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

#[test]
fn what_is_asked_follows_the_last_answer() {
    let user = |text: &str| json!({"role": "user", "content": text});
    let assistant = json!({"role": "assistant", "content": "x"});
    let system = json!({"role": "system", "content": "be kind"});
    let call = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "1"}]});
    let result = json!({"role": "tool", "tool_call_id": "1", "content": "57"});
    for (history, expected) in [
        (json!([system, user("a")]), Some(texts(&["a"]))),
        (
            json!([system, user("a"), assistant, user("b")]),
            Some(texts(&["b"])),
        ),
        (json!([user("a"), user("b")]), Some(texts(&["a", "b"]))),
        (json!([user("a"), call, result]), Some(texts(&[]))),
        (json!([user("a"), call, result, user("b")]), Some(texts(&["b"]))),
        (json!([user("a"), assistant]), Some(texts(&[]))),
        (
            json!({"messages": [user("a")], "model": "m"}),
            Some(texts(&["a"])),
        ),
        (user("a"), Some(texts(&["a"]))),
        (json!([]), Some(texts(&[]))),
        (json!(["a"]), None),
        (json!({"question": "a"}), None),
        (json!("a"), None),
        (json!(null), None),
    ] {
        assert_eq!(asked(&history), expected, "{history}");
    }
}

#[test]
fn what_is_answered_follows_the_last_message_of_the_user() {
    let user = json!({"role": "user", "content": "a"});
    let answer = |text: &str| json!({"role": "assistant", "content": text});
    let call = json!({"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "name": "f"}]});
    for (history, expected) in [
        (json!([answer("x")]), Some(texts(&["x"]))),
        (json!([answer("x"), answer("y")]), Some(texts(&["x", "y"]))),
        (json!([answer("w"), user, call, answer("x")]), Some(texts(&["x"]))),
        (json!([call]), Some(texts(&[]))),
        (answer("x"), Some(texts(&["x"]))),
    ] {
        assert_eq!(answered(&history), expected, "{history}");
    }
}

#[test]
fn texts_are_read_in_the_shapes_of_providers() {
    for (message, expected) in [
        (
            json!({"role": "user", "parts": [{"type": "text", "content": "a"}, {"type": "text", "content": "b"}]}),
            Some("a\nb"),
        ),
        (
            json!({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}]}),
            Some("a"),
        ),
        (
            json!({"role": "user", "content": [{"type": "input_text", "text": "a"}]}),
            Some("a"),
        ),
        (json!({"role": "user", "parts": [{"text": "a"}]}), Some("a")),
        (json!({"role": "user", "parts": ["a"]}), Some("a")),
        (json!({"type": "human", "content": "a"}), Some("a")),
        (
            json!({"role": "user", "parts": [{"type": "blob", "modality": "image", "content": "aGk="}]}),
            None,
        ),
        (json!({"role": "user", "parts": []}), None),
        (json!({"role": "user"}), None),
    ] {
        let expected = Some(vec![expected.map(str::to_owned)]);
        assert_eq!(asked(&message), expected, "{message}");
    }
}

#[test]
fn the_result_of_a_tool_in_the_name_of_the_user_is_no_message_of_theirs() {
    for part in ["tool_call_response", "tool_result"] {
        let history = json!([{"role": "user", "parts": [{"type": part, "id": "1", "response": "57"}]}]);
        assert_eq!(asked(&history), Some(texts(&[])), "{part}");
    }
}
