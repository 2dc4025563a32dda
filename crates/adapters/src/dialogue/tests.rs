use serde_json::json;

use super::*;

fn texts(texts: &[&str]) -> Option<Vec<Text>> {
    Some(texts.iter().map(|text| Some((*text).to_owned())).collect())
}

#[test]
fn what_is_asked_follows_the_last_answer() {
    let user = |text: &str| json!({"role": "user", "content": text});
    let assistant = json!({"role": "assistant", "content": "x"});
    let system = json!({"role": "system", "content": "be kind"});
    let call = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "1"}]});
    let result = json!({"role": "tool", "tool_call_id": "1", "content": "57"});
    for (history, expected) in [
        (json!([system, user("a")]), texts(&["a"])),
        (json!([system, user("a"), assistant, user("b")]), texts(&["b"])),
        (json!([user("a"), user("b")]), texts(&["a", "b"])),
        (json!([user("a"), call, result]), texts(&[])),
        (json!([user("a"), call, result, user("b")]), texts(&["b"])),
        (json!([user("a"), assistant]), texts(&[])),
        (json!({"messages": [user("a")], "model": "m"}), texts(&["a"])),
        (user("a"), texts(&["a"])),
        (json!([]), texts(&[])),
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
        (json!([answer("x")]), texts(&["x"])),
        (json!([answer("x"), answer("y")]), texts(&["x", "y"])),
        (json!([answer("w"), user, call, answer("x")]), texts(&["x"])),
        (json!([call]), texts(&[])),
        (answer("x"), texts(&["x"])),
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
        assert_eq!(asked(&history), texts(&[]), "{part}");
    }
}
