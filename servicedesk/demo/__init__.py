"""A believable desk for a newcomer: people, services, rotas, policies and two months of incidents."""
