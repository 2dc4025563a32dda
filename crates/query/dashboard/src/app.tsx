/** The page: who asks, what for, and the answers. */
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { paths, type Cohorts, type DayCount, type MentorCount, type Reply, type TopicCount } from "./api";
import { SELDOM_MILLIS, useAnswer } from "./answer";
import { ActiveUsersCard, activeUsersData, CohortsCard, cohortsData } from "./charts";
import { useNow } from "./clock";
import { dayOf } from "./days";
import { fileName } from "./download";
import { Filters } from "./filters";
import { Logo, MoonIcon, SunIcon } from "./icons";
import { PipelineStatus } from "./pipeline";
import { SessionContext, storedKey, storeKey } from "./session";
import { SignIn } from "./sign_in";
import { Notice, sentence } from "./states";
import { Tiles } from "./tiles";
import { useTheme } from "./theme";
import { Transcripts } from "./transcripts";
import { parseView, viewAddress, viewRange, type View } from "./view";

export function App() {
  const [{ view, problems }, navigate] = useView();
  const [key, setKey] = useState(storedKey);
  const [reason, setReason] = useState("");
  const [switching, setSwitching] = useState(false);
  const [theme, toggleTheme] = useTheme();

  const useKey = (newKey: string, newReason = "") => {
    storeKey(newKey);
    setKey(newKey);
    setReason(newReason);
  };
  const end = useCallback((why: string) => useKey("", why), []);
  const session = useMemo(() => ({ key, end }), [key, end]);

  useEffect(() => {
    document.title = view.org === "" ? "Rollcall" : `${view.org} · Rollcall`;
  }, [view.org]);

  const signedIn = key !== "" && view.org !== "" && !switching;
  return (
    <SessionContext.Provider value={session}>
      <a class="skip-link" href="#main">Skip to the content</a>
      <header class="page-header">
        <Logo />
        <h1>
          <span class="name">Rollcall</span>
          {signedIn && <span class="org"><span class="visually-hidden">, organisation </span>{view.org}</span>}
        </h1>
        {signedIn && <PipelineStatus org={view.org} />}
        <div class="header-actions">
          {signedIn && <button type="button" onClick={() => setSwitching(true)}>Switch<span class="wide"> organisation</span></button>}
          <button type="button" class="icon" aria-pressed={theme === "dark"} aria-label="Dark theme" title="Dark theme" onClick={toggleTheme}>
            {theme === "dark" ? <SunIcon /> : <MoonIcon />}
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {signedIn ? (
          problems.length > 0 ? (
            <Notice
              title="This address cannot be shown"
              text={problems.map((problem) => `${problem}.`).join(" ")}
              action="Show the rest of it"
              onAction={() => navigate(view)}
            />
          ) : (
            <Dashboard key={view.org} view={view} theme={theme} navigate={navigate} />
          )
        ) : (
          <SignIn
            org={view.org}
            hasKey={key !== ""}
            reason={reason}
            onBack={switching && view.org !== "" && key !== "" ? () => setSwitching(false) : undefined}
            onSignOut={() => {
              useKey("");
              setSwitching(false);
            }}
            onSubmit={(org, newKey) => {
              if (newKey !== "") useKey(newKey);
              setSwitching(false);
              // Names of mentors and topics are an organisation's own.
              if (org !== view.org) navigate({ ...view, org, mentor: "", topics: "" });
            }}
          />
        )}
      </main>
    </SessionContext.Provider>
  );
}

interface DashboardProps {
  view: View;
  theme: string;
  navigate(view: View): void;
}

function Dashboard({ view, theme, navigate }: DashboardProps) {
  const today = dayOf(useNow());
  const { first, last } = viewRange(view, today);
  const activeUsersPath = paths.activeUsers(view.org, first, last, view.groupBy);
  const activeUsers = useAnswer(activeUsersPath, parseBody<DayCount[]>);
  const cohortsPath = paths.cohorts(view.org, first, last, view.groupBy, view.mentor);
  const cohorts = useAnswer(cohortsPath, parseBody<Cohorts>);
  const mentors = useAnswer(paths.mentors(view.org, first, last), parseBody<MentorCount[]>, SELDOM_MILLIS);
  const topics = useAnswer(paths.topics(view.org, first, last), parseBody<TopicCount[]>, SELDOM_MILLIS);
  // With the grain that was asked for: while another is awaited, the numbers are still of that before.
  const activity = useMemo(() => activeUsers.value && activeUsersData(activeUsers.value, view.groupBy), [activeUsers.value]);
  const growth = useMemo(() => cohorts.value && cohortsData(cohorts.value, view.groupBy), [cohorts.value]);
  const [total, setTotal] = useState<number>();

  // What is wrong with the organisation is wrong with every answer, and is said once.
  const refusal = activeUsers.error;
  if (refusal && !activeUsers.value && (refusal.status === 403 || refusal.status === 404)) {
    return (
      <Notice
        title={refusal.status === 403 ? "This key does not open this organisation" : "There is no such organisation"}
        text={`${sentence(refusal.message)} Switch to another organisation, or ask again once its first event has arrived.`}
        action="Ask again"
        busy={activeUsers.busy}
        onAction={activeUsers.retry}
      />
    );
  }
  return (
    <>
      <Filters view={view} today={today} mentors={mentors.value ?? []} topics={topics.value ?? []} navigate={navigate} />
      <Tiles grain={view.groupBy} activity={activity} newUsers={cohorts.value?.new_users} conversations={total}
        failed={activeUsers.error !== undefined || cohorts.error !== undefined} />
      <div class="charts">
        <ActiveUsersCard answer={activeUsers} address={activeUsersPath} file={fileName(view.org, `active-users-by-${view.groupBy}`, first, last)}
          data={activity} grain={view.groupBy} mentor={view.mentor} theme={theme} />
        <CohortsCard answer={cohorts} address={cohortsPath} file={fileName(view.org, `user-cohorts-by-${view.groupBy}`, first, last)}
          data={growth} grain={view.groupBy} mentor={view.mentor} theme={theme} />
      </div>
      <Transcripts view={view} first={first} last={last} onTotal={setTotal} />
      <footer class="page-footer">
        Hours, days, weeks and months are UTC. <a href="docs/">The API behind this page</a>
      </footer>
    </>
  );
}

function parseBody<T>(reply: Reply): T {
  return JSON.parse(reply.body) as T;
}

/** What the address asks for, and what changes both. */
function useView(): [ReturnType<typeof parseView>, (view: View) => void] {
  const [parsed, setParsed] = useState(() => parseView(location.search));
  useEffect(() => {
    const follow = () => setParsed(parseView(location.search));
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, []);
  const navigate = useCallback((view: View) => {
    history.pushState(null, "", viewAddress(view));
    setParsed({ view, problems: [] });
  }, []);
  return [parsed, navigate];
}
