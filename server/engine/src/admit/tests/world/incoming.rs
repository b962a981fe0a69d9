//! What comes into the world: packets and knocks, other rules, and time.

use super::*;

impl World {
    /// A statement of `client`, signed now.
    pub(crate) fn claim(&mut self, client: &ClientSecret, asked: &Asked, from: &str) -> Claim {
        self.request(client, &asked.request(), from)
    }

    /// The same by a clock that is ahead of the server's.
    pub(crate) fn claim_ahead(
        &mut self,
        ahead: Duration,
        client: &ClientSecret,
        asked: &Asked,
        from: &str,
    ) -> Claim {
        let Claim { statement, .. } = self.claim(client, asked, from);
        self.claim_at(statement.stamp().saturating_add(ahead), client, asked, from)
    }

    /// The same for any request.
    pub(crate) fn request(&mut self, client: &ClientSecret, request: &Request, from: &str) -> Claim {
        // Clients never use a stamp twice.
        self.last_stamp = self.now.unix.max(UnixTime::from_nanos(self.last_stamp.as_nanos() + 1));
        self.request_at(self.last_stamp, client, request, from)
    }

    pub(crate) fn claim_at(
        &self,
        stamp: UnixTime,
        client: &ClientSecret,
        asked: &Asked,
        from: &str,
    ) -> Claim {
        self.request_at(stamp, client, &asked.request(), from)
    }

    fn request_at(&self, stamp: UnixTime, client: &ClientSecret, request: &Request, from: &str) -> Claim {
        let server = self.rules.servers().first().copied().unwrap();
        let statement = state(&server, client, stamp, &request.encode());
        Claim { server, statement, from: address(from) }
    }

    /// A packet comes, and everything that follows is done.
    pub(crate) fn ask(&mut self, client: &ClientSecret, asked: &Asked, from: &str) -> Claim {
        let claim = self.claim(client, asked, from);
        self.deliver(&claim);
        claim
    }

    pub(crate) fn deliver(&mut self, claim: &Claim) {
        self.deliver_unsettled(claim);
        self.settle();
    }

    /// The packet comes, and others before its record is durable.
    pub(crate) fn deliver_unsettled(&mut self, claim: &Claim) {
        self.delivered.push(claim.clone());
        if !self.is_dead() {
            self.admit.handle_claim(claim, self.now);
        }
    }

    pub(crate) fn knock(&mut self, door: &str, from: &str) {
        if !self.is_dead() {
            self.admit.handle_knock(Knockable::Door(name(door)), address(from), self.now);
            self.settle();
        }
    }

    /// A classic knock at a door in knockd's manner.
    pub(crate) fn knock_knockd(&mut self, place: usize, from: &str) {
        if !self.is_dead() {
            self.admit.handle_knock(Knockable::Knockd(place), address(from), self.now);
            self.settle();
        }
    }

    pub(crate) fn close(&mut self, door: &str, at: Option<&str>) -> usize {
        if self.is_dead() {
            return 0;
        }
        let count = self.admit.handle_close(&of(door, at), self.flows, self.now);
        self.settle();
        count
    }

    pub(crate) fn reload(&mut self, rules: Rules) {
        self.files = Files::of(&rules);
        self.rules = rules.clone();
        if !self.is_dead() {
            self.admit.handle_rules(rules, self.now);
            self.settle();
        }
    }

    /// The server's keys change while everything else stays.
    pub(crate) fn rotate(&mut self, servers: Vec<ServerKey>) {
        self.rules.set_servers(servers.clone());
        if !self.is_dead() {
            self.admit.handle_servers(servers);
            self.settle();
        }
    }

    /// The files of clients and invitations are read again, and what follows is carried out later.
    pub(crate) fn read_files(&mut self) {
        let rules = self.files.rules(self.rules.clone());
        self.admit.handle_rules(rules, self.now);
    }

    /// Other clients, in the place of all.
    pub(crate) fn reload_clients(&mut self, clients: Vec<Client>, cut: Option<&str>) {
        self.rules = self.rules.clone().with_clients(clients).unwrap();
        self.files = Files::of(&self.rules);
        if !self.is_dead() {
            let cut = cut.map(|name| name.parse().unwrap());
            self.admit.handle_clients(self.rules.clone(), cut.as_ref(), self.now);
            self.settle();
        }
    }

    /// Lets time pass, and everything happen that falls due.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now.saturating_add(span);
        while let Some(due) = self.admit.poll_timeout().filter(|due| *due <= end.boot && !self.is_dead()) {
            self.now = self.now.saturating_add(due.saturating_since(self.now.boot));
            self.handle_timeout();
            self.settle();
        }
        self.now = end;
    }

    /// The machine sleeps; what fell due happens when it wakes up.
    pub(crate) fn sleep(&mut self, span: Duration) {
        self.kernel.slept += span;
        self.now = self.now.saturating_add(span);
        self.pass(Duration::ZERO);
    }
}
