import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.AiAnalyticsApi;
import org.openapitools.client.model.ErrorBody;
import org.openapitools.client.model.UsageCount;

/**
 * Asks the three endpoints with the client that OpenAPI Generator makes of the description.
 *
 * <p>Reads one JSON object: where to ask, and the questions. Writes one JSON array: the status of each answer and what the
 * client's models hold, written back as JSON by the client's own mapper.
 */
final class Ask {
  private final ApiClient client = new ApiClient();
  private final ObjectMapper mapper = client.getObjectMapper();

  public static void main(String[] arguments) throws Exception {
    new Ask().run();
  }

  private void run() throws Exception {
    JsonNode asked = mapper.readTree(System.in);
    client.updateBaseUri(asked.get("base_url").asText());
    // This library of the generator leaves out the security of the description.
    String key = "Api-Token " + asked.get("key").asText();
    client.setRequestInterceptor(request -> request.header("Authorization", key));
    AiAnalyticsApi api = new AiAnalyticsApi(client);
    List<Map<String, Object>> answers = new ArrayList<>();
    for (JsonNode question : asked.get("questions")) {
      Map<String, Object> answer = new LinkedHashMap<>();
      try {
        answer.put("answer", answer(api, question));
        answer.put("status", 200);
      } catch (ApiException error) {
        // Of a body that the models refuse, the status is that of a success.
        answer.put("status", error.getCode() == 0 ? 200 : error.getCode());
        if (error.getCode() >= 400) {
          answer.put("answer", mapper.readValue(error.getResponseBody(), ErrorBody.class));
        } else {
          answer.put("refused", error.toString());
        }
      }
      answers.add(answer);
    }
    mapper.writeValue(System.out, answers);
  }

  private static Object answer(AiAnalyticsApi api, JsonNode question) throws ApiException {
    JsonNode given = question.get("parameters");
    String org = question.get("org").asText();
    LocalDate start = day(given, "start_date");
    LocalDate end = day(given, "end_date");
    switch (question.get("endpoint").asText()) {
      case "transcripts/":
        Integer page = number(given, "page");
        Integer pageSize = number(given, "page_size");
        return api.aiAnalyticsOrgsUsersTranscriptsList(
            org, "me", start, end, text(given, "mentor"), text(given, "topics"), page, pageSize, null, null);
      case "usage-summary/":
        List<UsageCount> counts =
            api.aiAnalyticsOrgsUsersUsageSummaryList(org, "me", start, end, text(given, "group_by"), null);
        return counts;
      default:
        return api.aiAnalyticsOrgsUsersUserCohortsOverTimeRetrieve(
            org,
            "me",
            start,
            end,
            text(given, "aggregation"),
            text(given, "new_users_by"),
            text(given, "mentor_id"),
            null);
    }
  }

  private static String text(JsonNode given, String name) {
    return given.has(name) ? given.get(name).asText() : null;
  }

  private static Integer number(JsonNode given, String name) {
    return given.has(name) ? Integer.valueOf(text(given, name)) : null;
  }

  private static LocalDate day(JsonNode given, String name) {
    return given.has(name) ? LocalDate.parse(text(given, name)) : null;
  }
}
