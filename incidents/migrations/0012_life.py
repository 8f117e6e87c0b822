

import django.contrib.postgres.fields
import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_roles'),
        ('incidents', '0011_search'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ClosingRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.BigIntegerField(default=1, editable=False)),
                ('kind', models.CharField(choices=[('incident', 'incident'), ('request', 'service request'), ('question', 'question')], max_length=20, unique=True, verbose_name='kind')),
                ('required', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('cause', 'cause'), ('closing_category', 'closing category'), ('confirmation', 'how restoration was confirmed'), ('notes', 'resolution notes'), ('article', 'article, or why there is none')], max_length=30), blank=True, default=list, help_text='Of: cause, closing_category, confirmation, notes, article.', size=None, verbose_name='required')),
            ],
            options={
                'verbose_name': 'closing rule',
                'verbose_name_plural': 'closing rules',
                'ordering': ['kind'],
            },
        ),
        migrations.CreateModel(
            name='EscalationRule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.BigIntegerField(default=1, editable=False)),
                ('name', models.CharField(max_length=120, unique=True, verbose_name='name')),
                ('trigger', models.CharField(choices=[('priority', 'it has this priority or a higher one'), ('reassignments', 'it changed its team so many times')], max_length=20, verbose_name='when')),
                ('value', models.PositiveSmallIntegerField(help_text='The priority (1 or 2), or how many changes.', verbose_name='value')),
                ('how', models.CharField(choices=[('functional', 'to another tier or team'), ('hierarchical', 'a manager is told')], default='hierarchical', max_length=20, verbose_name='how')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
            ],
            options={
                'verbose_name': 'escalation rule',
                'verbose_name_plural': 'escalation rules',
                'ordering': ['trigger', 'value', 'name'],
            },
        ),
        migrations.CreateModel(
            name='HistoricalClosingRule',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, verbose_name='ID')),
                ('version', models.BigIntegerField()),
                ('schema_version', models.IntegerField()),
                ('xid', models.BigIntegerField()),
                ('actor_kind', models.TextField()),
                ('actor_id', models.TextField()),
                ('actor_label', models.TextField()),
                ('on_behalf_of', models.TextField()),
                ('actor_channel', models.TextField()),
                ('request_id', models.TextField()),
                ('salts', models.JSONField()),
                ('commitments', models.JSONField()),
                ('prev_hash', models.BinaryField(null=True)),
                ('row_hash', models.BinaryField()),
                ('kind', models.CharField(choices=[('incident', 'incident'), ('request', 'service request'), ('question', 'question')], max_length=20, verbose_name='kind')),
                ('required', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('cause', 'cause'), ('closing_category', 'closing category'), ('confirmation', 'how restoration was confirmed'), ('notes', 'resolution notes'), ('article', 'article, or why there is none')], max_length=30), blank=True, default=list, help_text='Of: cause, closing_category, confirmation, notes, article.', size=None, verbose_name='required')),
                ('history_change_reason', models.TextField(null=True)),
                ('history_id', models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField()),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical closing rule',
                'verbose_name_plural': 'historical closing rules',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='HistoricalEscalationRule',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, verbose_name='ID')),
                ('version', models.BigIntegerField()),
                ('schema_version', models.IntegerField()),
                ('xid', models.BigIntegerField()),
                ('actor_kind', models.TextField()),
                ('actor_id', models.TextField()),
                ('actor_label', models.TextField()),
                ('on_behalf_of', models.TextField()),
                ('actor_channel', models.TextField()),
                ('request_id', models.TextField()),
                ('salts', models.JSONField()),
                ('commitments', models.JSONField()),
                ('prev_hash', models.BinaryField(null=True)),
                ('row_hash', models.BinaryField()),
                ('name', models.CharField(max_length=120, verbose_name='name')),
                ('trigger', models.CharField(choices=[('priority', 'it has this priority or a higher one'), ('reassignments', 'it changed its team so many times')], max_length=20, verbose_name='when')),
                ('value', models.PositiveSmallIntegerField(help_text='The priority (1 or 2), or how many changes.', verbose_name='value')),
                ('how', models.CharField(choices=[('functional', 'to another tier or team'), ('hierarchical', 'a manager is told')], default='hierarchical', max_length=20, verbose_name='how')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('history_change_reason', models.TextField(null=True)),
                ('history_id', models.BigAutoField(editable=False, primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField()),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
            ],
            options={
                'verbose_name': 'historical escalation rule',
                'verbose_name_plural': 'historical escalation rules',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.AddField(
            model_name='comment',
            name='nature',
            field=models.CharField(choices=[('person', "a person's word"), ('auto_reply', 'automatic reply'), ('bounce', 'bounce')], default='person', max_length=20, verbose_name='nature'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='affected_services',
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name='services affected'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='affected_sites',
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name='sites affected'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='affected_users',
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name='users affected'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='article_ref',
            field=models.CharField(blank=True, max_length=300, verbose_name='article'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='escalated_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='escalated at'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='escalation_count',
            field=models.PositiveIntegerField(default=0, editable=False, verbose_name='times escalated'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='follow_up_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='next reminder to the requester'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='follow_ups',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), default=list, editable=False, size=None, verbose_name='reminders still to come, then the end'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='is_restricted',
            field=models.BooleanField(default=False, editable=False, verbose_name='restricted'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='no_article_reason',
            field=models.CharField(blank=True, max_length=500, verbose_name='why there is no article'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='reopened_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='reopened at'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='reopened_by',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='reopened by'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='replied_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='the requester wrote, and nobody answered'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='restricted_reason',
            field=models.TextField(blank=True, editable=False, verbose_name='reason of the restriction'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='workaround_note',
            field=models.CharField(blank=True, max_length=500, verbose_name='why, or which problem'),
        ),
        migrations.AddField(
            model_name='historicalincident',
            name='works_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='the requester said that it works'),
        ),
        migrations.AddField(
            model_name='incident',
            name='affected_services',
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name='services affected'),
        ),
        migrations.AddField(
            model_name='incident',
            name='affected_sites',
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name='sites affected'),
        ),
        migrations.AddField(
            model_name='incident',
            name='affected_users',
            field=models.PositiveIntegerField(blank=True, null=True, verbose_name='users affected'),
        ),
        migrations.AddField(
            model_name='incident',
            name='article_ref',
            field=models.CharField(blank=True, max_length=300, verbose_name='article'),
        ),
        migrations.AddField(
            model_name='incident',
            name='escalated_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='escalated at'),
        ),
        migrations.AddField(
            model_name='incident',
            name='escalation_count',
            field=models.PositiveIntegerField(default=0, editable=False, verbose_name='times escalated'),
        ),
        migrations.AddField(
            model_name='incident',
            name='follow_up_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='next reminder to the requester'),
        ),
        migrations.AddField(
            model_name='incident',
            name='follow_ups',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), default=list, editable=False, size=None, verbose_name='reminders still to come, then the end'),
        ),
        migrations.AddField(
            model_name='incident',
            name='is_restricted',
            field=models.BooleanField(default=False, editable=False, verbose_name='restricted'),
        ),
        migrations.AddField(
            model_name='incident',
            name='no_article_reason',
            field=models.CharField(blank=True, max_length=500, verbose_name='why there is no article'),
        ),
        migrations.AddField(
            model_name='incident',
            name='reopened_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='reopened at'),
        ),
        migrations.AddField(
            model_name='incident',
            name='reopened_by',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='reopened by'),
        ),
        migrations.AddField(
            model_name='incident',
            name='replied_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='the requester wrote, and nobody answered'),
        ),
        migrations.AddField(
            model_name='incident',
            name='restricted_reason',
            field=models.TextField(blank=True, editable=False, verbose_name='reason of the restriction'),
        ),
        migrations.AddField(
            model_name='incident',
            name='workaround_note',
            field=models.CharField(blank=True, max_length=500, verbose_name='why, or which problem'),
        ),
        migrations.AddField(
            model_name='incident',
            name='works_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='the requester said that it works'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(condition=models.Q(('follow_up_at__isnull', False)), fields=['follow_up_at'], name='incidents_follow_up_due'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(condition=models.Q(('is_restricted', True)), fields=['id'], name='incidents_restricted'),
        ),
        migrations.AddConstraint(
            model_name='incident',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('follow_up_at__isnull', True), ('follow_ups', [])), models.Q(('follow_up_at__isnull', False), ('state', 'on_hold'), models.Q(('follow_ups', []), _negated=True)), _connector='OR'), name='incidents_follow_ups_on_hold'),
        ),
        migrations.AddConstraint(
            model_name='incident',
            constraint=models.CheckConstraint(condition=models.Q(('works_at__isnull', True), ('state__in', ['resolved', 'closed']), _connector='OR'), name='incidents_works_while_resolved'),
        ),
        migrations.AddConstraint(
            model_name='incident',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('is_restricted', False), ('restricted_reason', '')), models.Q(('is_restricted', True), models.Q(('restricted_reason', ''), _negated=True)), _connector='OR'), name='incidents_restricted_with_reason'),
        ),
        migrations.AddField(
            model_name='escalationrule',
            name='team',
            field=models.ForeignKey(blank=True, help_text='Empty: the next tier.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.team', verbose_name='to this team'),
        ),
        migrations.AddField(
            model_name='historicalclosingrule',
            name='history_user',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalescalationrule',
            name='history_user',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='historicalescalationrule',
            name='team',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, help_text='Empty: the next tier.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.team', verbose_name='to this team'),
        ),
        migrations.AddConstraint(
            model_name='escalationrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('trigger', 'priority'), ('value__gte', 1), ('value__lte', 2)), models.Q(('trigger', 'reassignments'), ('value__gte', 1), ('value__lte', 100)), _connector='OR'), name='incidents_escalation_value'),
        ),
        migrations.AddIndex(
            model_name='historicalclosingrule',
            index=models.Index(fields=['history_date', 'id'], name='incidents_h_history_16539e_idx'),
        ),
        migrations.AddConstraint(
            model_name='historicalclosingrule',
            constraint=models.UniqueConstraint(fields=('id', 'version'), name='incidents_closingrule_version_once'),
        ),
        migrations.AddIndex(
            model_name='historicalescalationrule',
            index=models.Index(fields=['history_date', 'id'], name='incidents_h_history_080391_idx'),
        ),
        migrations.AddConstraint(
            model_name='historicalescalationrule',
            constraint=models.UniqueConstraint(fields=('id', 'version'), name='incidents_escalationrule_version_once'),
        ),
    ]
